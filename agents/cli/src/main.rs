//! The one binary: Golden's services, the programs inside run pods, and the commands people use.

mod person;
mod said;
mod services;
#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// What stands below the list of commands.
const HELP: &str = "\
Every command acts with the rights of your kubeconfig. Named kubectl-golden on the PATH, `kubectl golden …` is the same.
Other objects than tasks are applied with kubectl: `kubectl get golden -A` lists them all.";

#[derive(Parser)]
#[command(name = "golden", version, about = "Governed teams of language-model agents on Kubernetes", after_help = HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Person(person::PersonCommand),
    #[command(flatten)]
    Service(services::ServiceCommand),
    /// Programs inside run pods.
    #[command(subcommand, hide = true)]
    Runner(RunnerCommand),
}

#[derive(Subcommand)]
enum RunnerCommand {
    #[command(flatten)]
    Sandbox(golden_sandbox::runner::Command),
    /// Runs an agent and hands its result to the sidecar.
    Agent(golden_sidecar::RunnerArgs),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("golden: {}", said::said(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        // Building the inner isolation needs a process without threads: no runtime is started before it.
        Command::Runner(RunnerCommand::Sandbox(command)) => golden_sandbox::runner::run(command),
        Command::Runner(RunnerCommand::Agent(args)) => {
            runtime()?.block_on(golden_sidecar::run_agent(args)).map(|()| ExitCode::SUCCESS)
        }
        Command::Person(command) => {
            // `golden … | head` ends as other programs do, without a word.
            sigpipe::reset();
            runtime()?.block_on(command.run()).map(ExitCode::from)
        }
        Command::Service(command) => runtime()?.block_on(command.run()).map(|()| ExitCode::SUCCESS),
    }
}

/// Two workers are enough for what waits for others most of the time, and keep a service small.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    golden_platform::init_crypto();
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
