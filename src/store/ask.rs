//! Read-only commands that run without the lock.

use crate::{
    claim::Claim,
    token::Token,
    transport::{HookExit, LineSink, Op},
};

use super::{DirStore, HookRun, StoreError, layout::inner, steps::PRIVATE};

/// Runs `question` with its record in a private directory, and removes the directory afterwards.
///
/// The next staging removes the directory of a killed process, as it does with uploads.
pub(super) async fn ask(store: &DirStore, question: &HookRun, output: &dyn LineSink) -> Result<HookExit, StoreError> {
    let (steps, token) = (&store.steps, Token::random());
    let mut claim = Claim::new(&token);
    let private = store.layout().in_state(&["tmp", token.as_str()]);
    let mut batch = steps.empty();
    steps.mark_live(&mut batch, &token);
    batch.push(Op::MakeDir { path: private.clone(), mode: PRIVATE, existing_is_fine: false });
    store.execute(&batch).await?;
    let call = store.hook_call(question, private.join(&inner(question.kind.as_str())));
    let exit = store.transport.run(&call, output).await;
    // If it cannot be removed now, the next staging removes it.
    if store.execute(&steps.forgetting(&token)).await.is_ok() {
        claim.release();
    }
    Ok(exit?)
}
