//! Who is killed: found as a container, ended as a process of the host, and seen to come back.

use crate::drill::Drill;
use crate::probe::pod_label;
use crate::world::{DEMO, World, text};
use anyhow::{Context as _, Result, bail};
use golden_cluster::{ContainerProcess, kill_inside};
use golden_scenarios::install::NAMESPACE;
use golden_scenarios::tools::wait_for;
use serde_json::Value;
use std::time::Duration;

/// A part that can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// A pod of Golden's namespace with that component: operator, ledger, gateway, api, postgres, nats, redis.
    Part(&'static str),
    /// A service of the drill's team.
    Service(&'static str),
    /// The model server.
    Model,
    /// A container of the task's pod of a component, inside its gVisor sandbox.
    Inside(&'static str, &'static str),
    /// The process behind a container of the task's pod: for gVisor, the whole sandbox.
    Pod(&'static str, &'static str),
    /// A process of the node.
    Node(&'static str),
}

/// A container as its pod's status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) id: String,
    pub(crate) running: bool,
    pub(crate) ready: bool,
}

/// The containers of that name, init containers too; every container where the name is empty.
pub(crate) fn containers(pods: &[Value], name: &str) -> Vec<Container> {
    let mut found = Vec::new();
    for pod in pods {
        let lists = ["initContainerStatuses", "containerStatuses"];
        let statuses = lists.iter().flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
        for status in statuses.filter(|s| name.is_empty() || text(&s["name"]) == name) {
            found.push(Container {
                namespace: text(&pod["metadata"]["namespace"]).to_owned(),
                pod: text(&pod["metadata"]["name"]).to_owned(),
                id: text(&status["containerID"]).to_owned(),
                running: status["state"]["running"].is_object(),
                ready: status["ready"].as_bool().unwrap_or(false),
            });
        }
    }
    found
}

impl Victim {
    fn look(self, world: &World, drill: &Drill) -> Result<Vec<Container>> {
        let (pods, container) = match self {
            Self::Part(name) => {
                let label = format!("app.kubernetes.io/name=golden,app.kubernetes.io/component={name}");
                (world.list(&["pods", "-n", NAMESPACE, "-l", &label])?, "")
            }
            Self::Service(name) => {
                let label =
                    format!("app.kubernetes.io/name={name},app.kubernetes.io/instance={}", drill.team_uid);
                (world.list(&["pods", "-n", NAMESPACE, "-l", &label])?, "")
            }
            Self::Model => (world.list(&["pods", "-n", DEMO, "-l", "app=golden-model"])?, ""),
            Self::Inside(component, name) | Self::Pod(component, name) => {
                (world.pods(&pod_label(drill, component))?, name)
            }
            Self::Node(_) => return Ok(Vec::new()),
        };
        Ok(containers(&pods, container))
    }

    /// Kills it on the spot; what was killed, in words.
    pub(crate) fn kill(self, world: &World, drill: &Drill) -> Result<Killed> {
        if let Self::Node(name) = self {
            let before = golden_cluster::kill(name)?;
            let pid = before.pid.unwrap_or_default();
            return Ok(Killed { words: format!("{name}, process {pid}"), container: None });
        }
        let running = self.look(world, drill)?.into_iter().find(|c| c.running);
        let found = running.with_context(|| format!("{self:?} has no running container"))?;
        let words = if let Self::Inside(..) = self {
            kill_inside(&found.id)?;
            format!("a container inside the sandbox of {}/{}", found.namespace, found.pod)
        } else {
            let process = ContainerProcess::find(&found.id)?;
            process.kill()?;
            format!("process {} of {}/{}", process.pid(), found.namespace, found.pod)
        };
        Ok(Killed { words, container: Some(found) })
    }

    /// Waits until it is back: another container that is ready. Pods of tasks do not come back; others do.
    pub(crate) fn back(self, world: &World, drill: &Drill, killed: &Killed) -> Result<()> {
        match self {
            Self::Inside(..) | Self::Pod(..) => Ok(()),
            Self::Node(name) => wait_for(&format!("{name} to be back"), Duration::from_mins(2), || {
                let ready =
                    world.tools.kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=1s"]);
                Ok((golden_cluster::process(name)?.pid.is_some() && ready.is_ok()).then_some(()))
            }),
            _ => wait_for(&format!("{self:?} to be back"), Duration::from_mins(2), || {
                let old = killed.container.as_ref().map_or("", |c| &c.id);
                let back = self.look(world, drill)?;
                Ok(back.iter().any(|c| c.id != old && c.ready).then_some(()))
            }),
        }
    }
}

/// What was killed.
#[derive(Clone, Debug)]
pub(crate) struct Killed {
    pub(crate) words: String,
    container: Option<Container>,
}

/// The git server, frozen until this is dropped: whoever speaks to it waits.
#[derive(Debug)]
pub(crate) struct FrozenGit(ContainerProcess);

impl FrozenGit {
    pub(crate) fn freeze(world: &World) -> Result<Self> {
        let pods = world.list(&["pods", "-n", DEMO, "-l", "app=git"])?;
        let Some(found) = containers(&pods, "git").into_iter().find(|c| c.running) else {
            bail!("the git server does not run");
        };
        let process = ContainerProcess::find(&found.id)?;
        process.freeze();
        Ok(Self(process))
    }
}

impl Drop for FrozenGit {
    fn drop(&mut self) {
        self.0.thaw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn native_sidecars_are_found_among_the_init_containers() {
        let pod = json!({"metadata": {"namespace": "n", "name": "p"}, "status": {
            "initContainerStatuses": [{"name": "sidecar", "containerID": "containerd://s", "ready": true,
                "state": {"running": {}}}],
            "containerStatuses": [{"name": "agent", "containerID": "containerd://a", "ready": false,
                "state": {"terminated": {}}}]}});
        let found = containers(std::slice::from_ref(&pod), "sidecar");
        assert_eq!((found.len(), found[0].running, &found[0].id[..]), (1, true, "containerd://s"));
        assert_eq!(containers(&[pod], "").len(), 2);
    }
}
