//! The `switchback` command: parses the command line, calls the library, prints the result.

#[macro_use]
mod args;
mod ask;
mod call;
mod command;
mod complete;
mod exit;
mod help;
mod interrupt;
mod invocation;
mod mistakes;
mod panic;
mod render;
mod run;
mod target;
mod under_way;
mod who;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    panic::in_words();
    panic::caught(work)
}

fn work() -> ExitCode {
    if let Some(answered) = complete::answer() {
        return answered;
    }
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    args::Color::apply(words.iter().skip(1).cloned());
    match args::Cli::try_parse() {
        Ok(cli) => run::run(cli, words),
        Err(error) => args::refused(&error),
    }
}
