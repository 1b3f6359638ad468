//! `cargo xtask demo`: from nothing to four stories of tasks, in front of whoever watches.

use crate::build::{self, Scope};
use anyhow::Result;
use golden_scenarios::clock::Clock;
use golden_scenarios::install::{self, Images, Model};
use golden_scenarios::report::Report;
use golden_scenarios::tools::Tools;
use golden_scenarios::{figures, stories};

/// Where the demo plays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use this context of your kubeconfig instead of the local cluster.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Where the cluster pulls the images that `cargo xtask images --save` wrote; without it, its nodes must have
    /// them under their own names, as after `kind load image-archive`.
    #[arg(long, value_name = "REGISTRY", requires = "context")]
    registry: Option<String>,
    /// Golden's image, if it is another one.
    #[arg(long, value_name = "REPOSITORY:TAG", requires = "context")]
    image: Option<String>,
    /// Golden's image with git, if it is another one.
    #[arg(long, value_name = "REPOSITORY:TAG", requires = "context")]
    git_image: Option<String>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut clock = Clock::start();
    let (tools, images) = match &args.context {
        Some(context) => existing(context, args, &mut clock)?,
        None => local(Scope::Programs, &mut clock)?,
    };
    let model = Model::from_env();
    clock.say(&format!("the model is {}", model.describe()));
    prepare(&tools, &images, &model, &mut clock)?;
    clock.say("submitting examples/tasks");
    if matches!(model, Model::Real { .. }) {
        clock.say("last-cent is left out: it is set for the recorded model");
    }
    stories::submit(&tools, &model)?;
    let tasks = stories::play(&tools, &model, &mut |line| clock.say(line))?;
    clock.phase("stories");
    let figures = figures::measure(&tools)?;
    let report = Report { tasks, seconds: clock.seconds(), phases: clock.phases(), figures };
    show(&tools, &report)?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

/// Installs everything that the stories need. A second run starts the stories anew.
pub(crate) fn prepare(tools: &Tools, images: &Images, model: &Model, clock: &mut Clock) -> Result<()> {
    clock.say("installing the charts golden-crds and golden");
    install::charts(tools, images, &[])?;
    clock.say("installing a git server and the recorded model");
    install::demo_parts(tools)?;
    clock.say("applying examples/platform and examples/checkout");
    install::platform(tools, model)?;
    stories::reset(tools)?;
    clock.phase("install");
    Ok(())
}

/// The local cluster, with the images of this tree in it.
pub(crate) fn local(scope: Scope, clock: &mut Clock) -> Result<(Tools, Images)> {
    let kubeconfig = crate::cluster::ensure()?;
    clock.phase("cluster");
    let binaries = build::binaries(scope)?;
    clock.phase("build");
    build::load(&build::every(&binaries)?)?;
    let images = build::names(&binaries)?;
    clock.phase("images");
    let tools = Tools {
        kubectl: golden_cluster::tools::program("kubernetes", "kubectl")?,
        helm: golden_cluster::tools::program("helm", "helm")?,
        golden: binaries.golden,
        kubeconfig: Some(kubeconfig),
        context: None,
        audit_log: Some(golden_cluster::audit_log()?),
        registry: None,
    };
    Ok((tools, images))
}

fn existing(context: &str, args: &Args, clock: &mut Clock) -> Result<(Tools, Images)> {
    let binaries = build::binaries(Scope::Programs)?;
    clock.phase("build");
    let tools = Tools {
        kubectl: golden_cluster::tools::program("kubernetes", "kubectl")?,
        helm: golden_cluster::tools::program("helm", "helm")?,
        golden: binaries.golden.clone(),
        kubeconfig: None,
        context: Some(context.to_owned()),
        audit_log: None,
        registry: args.registry.clone(),
    };
    let ours = build::names(&binaries)?;
    let images = Images {
        golden: args.image.clone().unwrap_or_else(|| tools.with_images(&ours.golden)),
        golden_git: args.git_image.clone().unwrap_or_else(|| tools.with_images(&ours.golden_git)),
    };
    clock.say(&format!("the images are {} and {}", images.golden, images.golden_git));
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
    println!("\n{}", report.figures.text());
    println!("every story came to its end; {}", report.durations());
    Ok(())
}
