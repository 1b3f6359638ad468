//! `cargo xtask demo`: from nothing to four stories of tasks, in front of whoever watches.

use crate::build::{self, Binaries, Scope};
use anyhow::{Result, ensure};
use golden_scenarios::clock::Clock;
use golden_scenarios::fit::Fit;
use golden_scenarios::install::{self, Images, Model};
use golden_scenarios::report::Report;
use golden_scenarios::tools::Tools;
use golden_scenarios::{figures, preflight, stories};
use std::path::PathBuf;

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
    /// RuntimeClass that guards run under, instead of gVisor's: the examples' policies then name it. With a handler that
    /// shares the node's kernel (runc) the isolation is weaker.
    #[arg(long, value_name = "NAME", requires = "context")]
    runtime_class: Option<String>,
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
        fit: Fit::default(),
    };
    Ok((tools, images))
}

/// A cluster of somebody else's: looked at before anything is built, and used as it is.
fn existing(context: &str, args: &Args, clock: &mut Clock) -> Result<(Tools, Images)> {
    let mut tools = Tools {
        kubectl: golden_cluster::tools::program("kubernetes", "kubectl")?,
        helm: golden_cluster::tools::program("helm", "helm")?,
        // Built below.
        golden: PathBuf::from("golden"),
        kubeconfig: None,
        context: Some(context.to_owned()),
        audit_log: None,
        fit: Fit {
            registry: args.registry.clone(),
            runtime_class: args.runtime_class.clone(),
            submitted_by: None,
        },
    };
    tools.fit.submitted_by = check(context, &tools, clock)?;
    clock.phase("cluster");
    let binaries = build::binaries(Scope::Programs)?;
    clock.phase("build");
    let named = |given: &Option<String>, ours: fn(&Binaries) -> Result<String>| match given {
        Some(image) => Ok(image.clone()),
        // To know its name it is built, and that takes Debian packages.
        None => ours(&binaries).map(|name| tools.with_images(&name)),
    };
    let images = Images {
        golden: named(&args.image, build::golden_name)?,
        golden_git: named(&args.git_image, build::golden_git_name)?,
    };
    clock.say(&format!("the images are {} and {}", images.golden, images.golden_git));
    tools.golden = binaries.golden;
    Ok((tools, images))
}

/// Refuses a cluster that lacks something, and says what the demo does otherwise there. Who submits, where the cluster
/// does not stamp it.
fn check(context: &str, tools: &Tools, clock: &Clock) -> Result<Option<String>> {
    let found = preflight::look(tools)?;
    let class = tools.fit.runtime_class.as_deref().unwrap_or(preflight::GVISOR);
    let lacks = found.lacks(class);
    ensure!(lacks.is_empty(), "the cluster {context} is not ready for the demo:\n\n- {}", lacks.join("\n- "));
    clock.say(&format!("{context} is Kubernetes {}", found.version));
    if class != preflight::GVISOR {
        clock.say(&format!("guards run under the RuntimeClass {class}, not gVisor: the policies name it, and each task's status shows it"));
    }
    if found.stamps() {
        return Ok(None);
    }
    clock.say(&format!(
        "it stamps nobody's name on tasks (Kubernetes 1.36 does): they say that {} submits them",
        found.user
    ));
    Ok(Some(found.user))
}

fn show(tools: &Tools, report: &Report) -> Result<()> {
    println!("\n{}", report.table());
    println!("what fix-slugify changed:\n");
    println!("{}", tools.golden(&["diff", "fix-slugify", "-n", stories::NAMESPACE])?);
    if let Some(class) = stories::isolation(tools, "fix-slugify")? {
        println!("its guards ran under the RuntimeClass {class} (status.isolation)\n");
    }
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
