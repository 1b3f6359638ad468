//! `cargo xtask demo`: from nothing to three tasks run to Complete, in front of whoever watches.

use crate::build;
use anyhow::{Context as _, Result};
use golden_scenarios::install::{self, Images, Model};
use golden_scenarios::report::Report;
use golden_scenarios::stories;
use golden_scenarios::tools::Tools;
use std::time::Instant;

/// Where the demo plays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use this context of your kubeconfig instead of the local cluster.
    #[arg(long, requires_all = ["image", "git_image"])]
    context: Option<String>,
    /// Golden's image, where the cluster's nodes can pull it.
    #[arg(long, value_name = "REPOSITORY:TAG", requires = "context")]
    image: Option<String>,
    /// Golden's image with git, where the cluster's nodes can pull it.
    #[arg(long, value_name = "REPOSITORY:TAG", requires = "context")]
    git_image: Option<String>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (tools, images) = match &args.context {
        Some(context) => existing(context, args)?,
        None => local()?,
    };
    // What is timed is the demo, not the machine's first builds.
    let start = Instant::now();
    let model = Model::from_env();
    say(start, &format!("the model is {}", model.describe()));
    prepare(&tools, &images, &model, start)?;
    say(start, "submitting examples/tasks");
    stories::submit(&tools)?;
    let tasks = stories::play(&tools, &mut |line| say(start, line))?;
    let report = Report { tasks, seconds: start.elapsed().as_secs() };
    show(&tools, &report)?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

/// Installs everything that the stories need. A second run starts the stories anew.
pub(crate) fn prepare(tools: &Tools, images: &Images, model: &Model, start: Instant) -> Result<()> {
    say(start, "installing the charts golden-crds and golden");
    install::charts(tools, images)?;
    say(start, "installing a git server and the recorded model");
    install::demo_parts(tools)?;
    say(start, "applying examples/platform and examples/checkout");
    install::platform(tools, model)?;
    stories::reset(tools)
}

/// The local cluster, with the images of this tree in it.
pub(crate) fn local() -> Result<(Tools, Images)> {
    let kubeconfig = crate::cluster::ensure()?;
    let binaries = build::binaries()?;
    let images = build::load(&binaries)?;
    let tools = Tools {
        kubectl: golden_cluster::tools::program("kubernetes", "kubectl")?,
        helm: golden_cluster::tools::program("helm", "helm")?,
        golden: binaries.golden,
        kubeconfig: Some(kubeconfig),
        context: None,
    };
    Ok((tools, images))
}

fn existing(context: &str, args: &Args) -> Result<(Tools, Images)> {
    let binaries = build::binaries()?;
    let tools = Tools {
        kubectl: golden_cluster::tools::program("kubernetes", "kubectl")?,
        helm: golden_cluster::tools::program("helm", "helm")?,
        golden: binaries.golden,
        kubeconfig: None,
        context: Some(context.to_owned()),
    };
    let images = Images {
        golden: args.image.clone().context("--image is missing")?,
        golden_git: args.git_image.clone().context("--git-image is missing")?,
    };
    Ok((tools, images))
}

fn show(tools: &Tools, report: &Report) -> Result<()> {
    println!("\n{}", report.table());
    println!("what fix-slugify changed:\n");
    println!("{}", tools.golden(&["diff", "fix-slugify", "-n", stories::NAMESPACE])?);
    println!("look further:");
    if let Some(path) = &tools.kubeconfig {
        println!("  export KUBECONFIG={}", path.display());
    }
    println!("  kubectl get golden -A");
    println!("  kubectl describe agenttask -n checkout fix-slugify");
    for command in ["explain", "votes", "cost", "logs"] {
        println!("  {} {command} fix-slugify -n checkout", tools.golden.display());
    }
    println!("all three tasks are Complete, {} s after the images were there", report.seconds);
    Ok(())
}

fn say(start: Instant, line: &str) {
    println!("[{:>4} s] {line}", start.elapsed().as_secs());
}
