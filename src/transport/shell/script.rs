//! Compiles batches to scripts: one function, called on the last line, so that a truncated script runs nothing.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    path::{HostPath, InnerPath},
    token::Token,
    transport::{Batch, FileId, GroupReach, HookCall, OnFailure, Op, Step, SyncReach, TreeName, Upload},
};

use super::{
    compare,
    quote::{NulByte, ShellWord},
    together::{Together, runs},
    upload::Stream,
};

/// The limit on a word of a script, in bytes: shells with an external `printf` take at most 128 KiB.
const PIECE: usize = 64 << 10;

/// The limit on what a host is asked to read of one file, in bytes.
///
/// No shell passes more in reasonable time, and mksh counts in 32 bits.
const READ_LIMIT: u64 = 999_999_999;

/// The text of a script under construction. Values enter it only as [`ShellWord`]s and numbers.
#[derive(Debug, Default)]
struct Script(Vec<u8>);

impl Script {
    /// Adds text of the script itself.
    fn text(&mut self, text: &'static str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds a blank and a value.
    fn word(&mut self, word: &ShellWord) -> &mut Self {
        self.0.push(b' ');
        self.0.extend_from_slice(word.as_bytes());
        self
    }

    /// Adds a blank and a value, which may hold any bytes but NUL.
    fn value(&mut self, value: impl AsRef<[u8]>) -> Result<&mut Self, NulByte> {
        Ok(self.word(&ShellWord::new(value)?))
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(number.to_string().as_bytes());
        self
    }

    /// Adds a file mode, in octal.
    fn mode(&mut self, mode: u32) -> &mut Self {
        self.0.extend_from_slice(format!("{mode:o}").as_bytes());
        self
    }

    /// Adds content, in parts that any `printf` takes.
    fn pieces(&mut self, content: &[u8]) -> Result<&mut Self, NulByte> {
        for piece in content.chunks(PIECE) {
            self.value(piece)?;
        }
        Ok(self)
    }

    /// Adds the change to the root, which on failure replies with the cause and returns.
    fn enter(&mut self, root: &HostPath, make: bool, pin: Option<FileId>) -> &mut Self {
        self.text("sb_root ").text(if make { "y " } else { "n " });
        match pin {
            Some(id) => self.number(id.device).text(" ").number(id.inode),
            None => self.text("'' ''"),
        };
        self.word(&ShellWord::root(root)).text(" || return\n")
    }
}

/// The definition of every batch's function. `common.sh` unsets this name too.
const DEFINE: &str = "switchback_batch() {\n";

/// Compiles `batch` to a function, which [`call`] calls.
///
/// # Errors
///
/// The index of the first step that holds a NUL byte, which no script can carry.
pub(super) fn compile(batch: &Batch) -> Result<Vec<u8>, usize> {
    let mut script = Script::default();
    script.text(DEFINE).enter(&batch.root, batch.make_root, batch.pin);
    if batch.for_group {
        script.text("sb_private=117\n");
    }
    places(&mut script, batch);
    let mut first = 0;
    for run in runs(&batch.steps) {
        compile_run(&mut script, first, run)?;
        first += run.len();
    }
    script.text("}\n");
    Ok(script.0)
}

/// Compiles steps that run as one; the first of them is step `first`.
fn compile_run(script: &mut Script, first: usize, run: &[Step]) -> Result<(), usize> {
    match Together::of(&run[0]) {
        Some(Together::Make) if run.len() > 1 => make_all(script, first, run),
        Some(kind @ Together::Remove) if run.len() > 1 => run_together(script, kind, first, run)?,
        Some(kind @ Together::Read) if run.len() > 1 || matches!(run[0].op, Op::ReadChain { .. }) => {
            run_together(script, kind, first, run)?;
        }
        _ => compile_each(script, first, run)?,
    }
    Ok(())
}

/// Compiles steps that share one process of each kind.
fn run_together(script: &mut Script, kind: Together, first: usize, run: &[Step]) -> Result<(), usize> {
    script.text("switchback_run() {\n");
    compile_each(script, first, run)?;
    script.text("return 0\n}\n");
    script.text(if kind == Together::Read { "sb_together r" } else { "sb_together d" });
    script.text(" switchback_run || return\n");
    Ok(())
}

/// Adds the kind and the value of a tree's name, as two words.
fn tree_name<'s>(script: &'s mut Script, name: &TreeName) -> Result<&'s mut Script, NulByte> {
    match name {
        TreeName::Given(name) => script.text(" given").value(name.as_str()),
        TreeName::Recorded(record) => Ok(script.text(" record").word(&ShellWord::operand(record))),
        TreeName::Linked(link) => Ok(script.text(" link").word(&ShellWord::operand(link))),
    }
}

fn compile_each(script: &mut Script, first: usize, run: &[Step]) -> Result<(), usize> {
    for (index, step) in (first..).zip(run) {
        script.text("sb_i=").number(index as u64).text("\n");
        compile_step(script, step).map_err(|NulByte| index)?;
    }
    Ok(())
}

/// Compiles the creation of nested directories by one program.
fn make_all(script: &mut Script, first: usize, run: &[Step]) {
    script.text("sb_i=").number(first as u64).text("\nsb_mkdirs ");
    for (at, step) in run.iter().enumerate() {
        if let Op::MakeDir { path, mode, .. } = &step.op {
            if at == 0 {
                script.mode(*mode);
            }
            script.word(&ShellWord::operand(path));
        }
    }
    script.text(" || return\n");
}

/// Adds the list of directories that the batch moves between, so that one `stat` can inspect them all.
fn places(script: &mut Script, batch: &Batch) {
    let mut places = BTreeSet::new();
    let mut moves = false;
    for step in &batch.steps {
        match &step.op {
            Op::MoveInto { from, into } => {
                moves = true;
                places.extend(from.parent());
                places.insert(into.clone());
            }
            Op::Rename { from, to } => {
                moves = true;
                places.extend([from.parent(), to.parent()].into_iter().flatten());
            }
            Op::MakeDir { path, .. } => {
                places.insert(path.clone());
            }
            _ => {}
        }
    }
    if moves {
        script.text("switchback_places() { sb_places \"$@\"");
        places.iter().fold(script, |script, place| script.word(&ShellWord::operand(place))).text("; }\n");
    }
}

/// Returns the line that calls the function as exchange number `exchange`.
///
/// It is in braces, so that no prefix of it is a command. The utilities of the batch read nothing, since the next input
/// is the next batch.
pub(super) fn call(nonce: &str, exchange: u64) -> Vec<u8> {
    format!("{{ sb_frame='SB1 {nonce} {exchange} '; switchback_batch </dev/null; sb_end; }}\n").into_bytes()
}

/// The first line of an upload: collects lines up to the nonce, and runs them once it has arrived.
const COLLECT: &str = "sb_nl=$(printf '\\nx'); sb_nl=${sb_nl%x}; sb_all=; while IFS= read -r sb_line; do \
     case $sb_line in \"$sb_nonce\") eval \"$sb_all\"; break;; esac; sb_all=$sb_all$sb_line$sb_nl; done\n";

/// Returns the script that all uploads share. Runs nothing before the text of [`receive`] arrives.
pub(super) fn collected(prelude: &[u8], nonce: &str) -> Vec<u8> {
    let mut script = Script(format!("sb_nonce={nonce}; ").into_bytes());
    script.text(COLLECT).0.extend_from_slice(prelude);
    script.0
}

/// Returns the rest of the script, which unpacks the stream of an upload from the rest of standard input.
pub(super) fn receive(upload: &Upload, stream: &Stream, nonce: &str) -> Vec<u8> {
    let mut script = Script::default();
    script.text(DEFINE).enter(&upload.root, false, None);
    script.text("sb_receive").word(&ShellWord::operand(&upload.into)).text(" ");
    script.0.extend_from_slice(stream.marker.as_bytes());
    script.text(" ").text(stream.compression.word());
    match &upload.base {
        Some(base) => script.word(&ShellWord::operand(&base.from)),
        None => script.text(" ''"),
    };
    for (list, _) in &upload.lists {
        script.word(&ShellWord::operand(list));
    }
    script.text("\n}\n");
    script.0.extend_from_slice(format!("sb_frame='SB1 {nonce} 0 '; switchback_batch; sb_end\n{nonce}\n").as_bytes());
    script.0
}

/// Returns the rest of the script of an upload without content: it only sends a reply.
pub(super) fn receive_nothing(nonce: &str) -> Vec<u8> {
    format!("sb_frame='SB1 {nonce} 0 '; sb_i=0; case $sb_lacks in '') sb_reply done;; esac; sb_end\n{nonce}\n")
        .into_bytes()
}

/// Returns the script, after `prelude`, that starts the command of `call` or follows it.
///
/// The command's processes have `marker` in their environment. The last line calls the script; `runner` is the prelude
/// of the shell that runs the command.
pub(super) fn hook(
    prelude: &[u8],
    runner: &str,
    call: &HookCall,
    marker: &str,
    nonce: &str,
) -> Result<Vec<u8>, NulByte> {
    let (program, call_line) = (program(runner, call, marker)?, self::call(nonce, 0));
    let mut script = Script(prelude.to_vec());
    script.text("sb_script() {\nsb_print").pieces(call.script.as_bytes())?.text("\n}\n");
    script.text("sb_program() {\nsb_print").pieces(&program)?.text("\n}\n");
    script.text(DEFINE).enter(&call.root, false, None);
    script.text("sb_hook").word(&ShellWord::operand(&call.record)).word(&ShellWord::root(&call.directory)).text(" ");
    script.number(reach(call.output_limit)).text(if call.ends { " end\n}\n" } else { "\n}\n" });
    script.0.extend_from_slice(&call_line);
    Ok(script.0)
}

/// Returns the script of the shell that runs the command of `call`, which it reads whole or not at all.
fn program(runner: &str, call: &HookCall, marker: &str) -> Result<Vec<u8>, NulByte> {
    let mut script = Script(runner.as_bytes().to_vec());
    script.text("sb_environment() {\n");
    for (name, value) in call.environment.iter().chain(call.secrets.pairs()) {
        script.0.extend_from_slice(name.as_bytes());
        script.0.push(b'=');
        script.0.extend_from_slice(ShellWord::new(value)?.as_bytes());
        script.0.extend_from_slice(format!("\nexport {name}\n").as_bytes());
    }
    script.text(":\n}\n{ sb_runner").word(&ShellWord::root(&call.directory)).text(" ");
    script.number(reach(call.output_limit).div_ceil(BLOCK)).text(" ");
    match call.timeout {
        Some(limit) => script.number(whole_seconds(limit)),
        None => script.text("''"),
    };
    script.value(marker)?.text("; exit; }\n");
    Ok(script.0)
}

/// The unit of `ulimit -f`, in bytes.
const BLOCK: u64 = 512;

/// Returns a time limit in whole seconds, rounded up.
fn whole_seconds(limit: Duration) -> u64 {
    (limit.as_secs() + u64::from(limit.subsec_nanos() > 0)).clamp(1, READ_LIMIT)
}

fn compile_step(script: &mut Script, step: &Step) -> Result<(), NulByte> {
    compile_op(script, &step.op)?;
    script.text(match step.on_failure {
        OnFailure::Stop => " || return\n",
        OnFailure::GoOn => "\n",
    });
    Ok(())
}

fn compile_op(script: &mut Script, op: &Op) -> Result<(), NulByte> {
    let place = ShellWord::operand;
    match op {
        Op::Identify => script.text("sb_identify"),
        Op::Clock => script.text("sb_clock"),
        Op::Inspect { path } => script.text("sb_inspect").word(&place(path)),
        Op::Resolve { link } => script.text("sb_resolve").value(from_root(link))?,
        Op::ReadLink { path } => script.text("sb_readlink").word(&place(path)),
        Op::Read { path, limit } => script.text("sb_read ").number(reach(*limit) + 1).word(&place(path)),
        Op::ReadEnd { path, limit } => script.text("sb_tail ").number(reach(*limit)).word(&place(path)),
        Op::List { path } => script.text("sb_list").word(&place(path)),
        Op::ReadEach { path, file, limit } => {
            script.text("sb_each ").number(reach(*limit)).value(file.as_str())?.word(&place(path))
        }
        Op::ReadChain { trees, from, record, lists, files, most } => {
            tree_name(script.text("sb_chain"), from)?;
            script.word(&place(trees)).word(&place(lists)).text(" ").number(u64::from(*most));
            script.value(record.name.as_str())?.text(" ").number(reach(record.limit));
            for file in files {
                script.text(" ").number(reach(file.limit)).value(file.name.as_str())?;
            }
            script
        }
        Op::Survey { path, digests } => {
            script.text(if *digests { "sb_survey y" } else { "sb_survey n" }).word(&place(path))
        }
        Op::CompareTree { trees, name, lists, manifest, contents, owners, except } => {
            script.text(if *contents { "sb_compare y" } else { "sb_compare ''" });
            let owners: Vec<String> = owners.iter().flatten().map(u32::to_string).collect();
            script
                .value(owners.join(" "))?
                .value(compare::passes_over(except))?
                .value(compare::passes_above(except))?;
            tree_name(script.value(manifest.as_str())?.word(&place(lists)).word(&place(trees)), name)?
        }
        Op::Snapshot { tree, list, into } => {
            script.text("sb_snapshot").word(&place(tree)).word(&place(list)).word(&place(into))
        }
        Op::Changes { tree, since } => script.text("sb_changes").word(&place(tree)).word(&place(since)),
        Op::CheckProcess { path } => script.text("sb_check").word(&place(path)),
        Op::FindUsers { path } => script.text("sb_users").word(&place(path)),
        Op::InspectWay { paths } => {
            let prefixes = paths.iter().flat_map(ways_down);
            prefixes.fold(script.text("sb_way"), |script, path| script.word(&place(&path)))
        }
        Op::InspectGroup { name, paths, below } => {
            script.text("sb_group").value(name.as_str())?.word(&place(below));
            paths.iter().fold(script, |script, path| script.word(&place(path)))
        }
        Op::GiveToGroup { path, group, reach } => {
            script.text(match reach {
                GroupReach::Itself => "sb_give i",
                GroupReach::Directories => "sb_give d",
                GroupReach::All => "sb_give a",
            });
            script.value(group.as_str())?.word(&place(path))
        }
        Op::ExpectAbsent { path } => script.text("sb_absent").word(&place(path)),
        Op::ExpectUnmounted { path } => script.text("sb_unmounted").word(&place(path)),
        Op::ExpectDirectory { path } => script.text("sb_directory").word(&place(path)),
        Op::ExpectWritable { path } => script.text("sb_writable").word(&place(path)),
        Op::ExpectLink { path, text } => script.text("sb_is").word(&place(path)).value(text)?,
        Op::MakeDir { path, mode, existing_is_fine } => {
            script.text("sb_mkdir ").mode(*mode).text(if *existing_is_fine { " y" } else { " n" }).word(&place(path))
        }
        Op::MakeLink { path, text } => script.text("sb_link").value(text)?.word(&place(path)),
        Op::WriteNew { path, content, mode } => {
            write_new(script, *mode).word(&place(path)).pieces(content.as_bytes())?
        }
        Op::MarkProcess { path } => script.text("sb_mark").word(&place(path)),
        Op::Append { path, content } => script.text("sb_append").word(&place(path)).pieces(content.as_bytes())?,
        Op::Rename { from, to } => script.text("sb_rename").word(&place(from)).word(&place(to)),
        Op::Exchange { one, other } => script.text("sb_exchange").word(&place(one)).word(&place(other)),
        Op::MoveInto { from, into } => script.text(held(from, into)).word(&place(from)).word(&place(into)),
        Op::RemoveFile { path } => script.text("sb_rmfile").word(&place(path)),
        Op::RemoveDir { path } => script.text("sb_rmdir").word(&place(path)),
        Op::RemoveTree { path } => script.text("sb_rmtree").word(&place(path)),
        Op::Sync { paths, reach } => {
            script.text(match reach {
                SyncReach::Entries => "sb_sync e",
                SyncReach::Filesystem => "sb_sync f",
            });
            paths.iter().fold(script, |script, path| script.word(&place(path)))
        }
    };
    Ok(())
}

/// Returns the directories from the root down to `path` inclusive, without the root.
pub(super) fn ways_down(path: &InnerPath) -> Vec<InnerPath> {
    let mut down: Vec<InnerPath> = std::iter::successors(Some(path.clone()), InnerPath::parent).collect();
    down.retain(|path| !path.is_root());
    down.reverse();
    down
}

/// Begins a `sb_move`, and selects the end to hold open.
///
/// Holds the end whose path others can guess, since they may replace it by a symlink meanwhile. The other end has a
/// token in its path, and is private; the root itself is held all the time.
fn held(from: &InnerPath, into: &InnerPath) -> &'static str {
    let is_private = |path: &InnerPath| path.names().any(|name| name.parse::<Token>().is_ok());
    let above = from.parent().unwrap_or_else(InnerPath::root);
    if is_private(&above) && !into.is_root() {
        "sb_move i"
    } else if !above.is_root() && !into.is_root() {
        "sb_move f"
    } else {
        "sb_move -"
    }
}

/// Begins a `sb_write`: the umask gives a mode without execute bits, and a `chmod` any other.
fn write_new(script: &mut Script, mode: u32) -> &mut Script {
    script.text("sb_write ").mode(0o777 & !mode).text(" ");
    if mode & !0o666 == 0 { script.text("''") } else { script.mode(mode) }
}

/// Returns the text of a symlink as an operand, as it reads in the root.
fn from_root(link: &[u8]) -> Vec<u8> {
    if link.is_empty() || link.starts_with(b"/") { link.to_vec() } else { [b"./", link].concat() }
}

/// Returns the limit to request from hosts.
pub(super) fn reach(limit: u64) -> u64 {
    limit.min(READ_LIMIT)
}
