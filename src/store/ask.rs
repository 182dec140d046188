//! Commands that only ask, run without the lock.

use crate::{
    token::Token,
    transport::{HookExit, LineSink, Op},
};

use super::{DirStore, HookRun, StoreError, layout::inner, steps::PRIVATE};

/// Runs `question` with its record in a private directory, which is removed when it has ended. A directory that a killed process
/// left is removed by the next staging, like an upload's.
pub(super) async fn ask(store: &DirStore, question: &HookRun, output: &dyn LineSink) -> Result<HookExit, StoreError> {
    let (steps, token) = (&store.steps, Token::random());
    let private = store.layout().in_state(&["tmp", token.as_str()]);
    let mut batch = steps.empty();
    steps.mark_live(&mut batch, &token);
    batch.push(Op::MakeDir { path: private.clone(), mode: PRIVATE, existing_is_fine: false });
    store.execute(&batch).await?;
    let call = store.hook_call(question, private.join(&inner(question.kind.as_str())));
    let exit = store.transport.run(&call, output).await;
    // What cannot be removed now is removed by the next staging.
    let _ = store.execute(&steps.forgetting(&token)).await;
    Ok(exit?)
}
