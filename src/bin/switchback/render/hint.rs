//! Hints in words: the one place that says them with commands and flags.

use switchback::Hint;

use crate::invocation::{Invocation, quoted};

/// Words the hints: one clause each, with commands that can be pasted.
pub(crate) fn words(hints: &[Hint], invocation: &Invocation) -> String {
    hints.iter().map(|hint| clause(hint, invocation)).collect::<Vec<_>>().join("; ")
}

fn clause(hint: &Hint, invocation: &Invocation) -> String {
    let run = |words: &str| invocation.command(words);
    let with = |flags: &str| invocation.with(flags);
    match hint {
        Hint::Advice(advice) => advice.clone(),
        Hint::AdoptDirectory => format!("{} adopts a plain directory", run("adopt")),
        Hint::AdoptAgain => format!("{} continues where it stopped", run("adopt")),
        Hint::AdoptFrom => {
            format!(
                "{} names the tool that made the tree; `--from recipe` is one made by hand",
                run("adopt --from TOOL")
            )
        }
        Hint::Activate(name) => format!("{} switches to it", run(&format!("activate {name}"))),
        Hint::PrepareAgain(name) => format!("{} runs its `prepare` again", run(&format!("activate {name}"))),
        Hint::ActivateUnverified(name) => {
            format!("{} switches to it anyway", run(&format!("activate {name} --verify none")))
        }
        Hint::DeployAs(name) => format!("{} updates the host", run(&format!("deploy SOURCE --name {name}"))),
        Hint::StageOn(name, host) => {
            format!("{} uploads it there", run(&format!("stage SOURCE --name {name} --host {}", quoted(host))))
        }
        Hint::AnotherName => format!("{} uses another name", with("--name NAME")),
        Hint::AllowEmpty => format!("if it must be empty, {} allows that", with("--allow-empty")),
        Hint::AllowSplit => format!("{} goes on although they differ", with("--allow-split")),
        Hint::AllowWritable => format!("{} accepts it as it is", with("--allow-writable")),
        Hint::AcceptData => format!("{} accepts and records the version that was found", with("--accept-data")),
        Hint::FromAny => "without `--from`, any current release is replaced".to_owned(),
        Hint::Drill(reports) => {
            let report = quoted(&format!("{reports}/NAME.json"));
            let drill = run(&format!("drill SOURCE --report {report}"));
            format!("{drill}, on the hosts where you rehearse")
        }
        Hint::Rollback => format!("{} brings the hosts together", run("rollback")),
        Hint::RollbackReverts => format!("{} reverts it", run("rollback")),
        Hint::RollbackTo(name) => format!("{} rolls back to it", run(&format!("rollback --to {name}"))),
        Hint::RollbackToAnother => format!("{} rolls back to the one you choose", run("rollback --to NAME")),
        Hint::RollbackUnverified(name) => {
            format!("{} rolls back to it anyway", run(&format!("rollback --to {name} --verify none")))
        }
        Hint::RollbackFurther => format!("another {} goes one release further back", run("rollback")),
        Hint::ResumeRevert(command) => format!("then {} resumes the revert", run(&command.to_string())),
        Hint::KeepData => {
            format!("{} rolls back the code alone and leaves the data", with("--keep-data"))
        }
        Hint::CodeAlone => format!("{} rolls back the code alone and runs no command", with("--no-hooks --keep-data")),
        Hint::ConfiguredCommands => format!("{} runs the configured commands", with("--commands config")),
        Hint::WithConfiguration => {
            format!("run it where the configuration is, or name its file: {}", with("--config FILE"))
        }
        Hint::DataTo => format!("{} reverts the data to the correct version", with("--data-to VERSION")),
        Hint::DataToLater => "a later rollback will need `--data-to VERSION`".to_owned(),
        Hint::Unverified => format!("{} goes there without verifying it", with("--verify none")),
        Hint::Recover => format!("{} finishes or reverts it", run("recover")),
        Hint::RecoverBack => format!("then {} reverts the run", run("recover --back")),
        Hint::RecoverForward => format!("{} finishes the run instead", run("recover --forward")),
        Hint::Relink(name) => format!("{} links it to {name} again", run("recover")),
        Hint::Seal => format!("{} seals it", run("recover")),
        Hint::Status => format!("{} shows where each host is", run("status")),
        Hint::UnreadableFile => format!("{} names the file and its owner", run("status")),
        Hint::Releases => format!("{} lists the releases of each host", run("releases")),
        Hint::History => format!("{} shows who did what", run("history")),
        Hint::Log => format!("{} shows all that it printed", run("log")),
        Hint::VerifyFull(name) => format!("{} lists all of it", run(&format!("verify {name} --full"))),
        Hint::VerifyOwners(name) => format!("{} shows whose files they are", run(&format!("verify {name}"))),
        Hint::Except(hosts) => leaving_out(hosts, invocation),
        Hint::Wait => format!("{} waits for the lock", with("--wait 5m")),
        Hint::UnlockForce => format!("if the holder is dead for certain, {} removes the lock", run("unlock --force")),
        Hint::Prune => format!("then {} tries again", run("prune")),
        Hint::Keep => format!("{}, or `keep = 5` in the configuration", with("--keep 5")),
        // The tests render every hint that the library has.
        _ => String::new(),
    }
}

/// The most hosts that a command names in `--except`.
const NAMED: usize = 4;

fn leaving_out(hosts: &[String], invocation: &Invocation) -> String {
    if hosts.is_empty() || hosts.len() > NAMED {
        return format!("{} leaves a host out", invocation.with("--except HOST"));
    }
    let flags: Vec<String> = hosts.iter().map(|host| format!("--except {host}")).collect();
    let whom = if hosts.len() == 1 { "it" } else { "them" };
    format!("{} leaves {whom} out", invocation.with(&flags.join(" ")))
}
