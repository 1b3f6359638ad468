//! What there is: the run, its pod, its team, the RuntimeClass.

use crate::build::service::Service;
use crate::caches::{label_of, runs_as};
use crate::context::Context;
use crate::effects::bounded;
use crate::error::Error;
use golden_crds::SandboxRun;
use golden_crds::labels::TEAM_UID;
use golden_platform::auth::RUN_ACCOUNT;
use golden_sandbox::BuildContext;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use std::sync::Arc;

/// Everything a decision about a run rests on.
pub(crate) struct Seen {
    pub(crate) run: Arc<SandboxRun>,
    /// The pod of the run's name, whoever owns it.
    pub(crate) pod: Option<Arc<Pod>>,
    pub(crate) runtime_class_exists: bool,
    pub(crate) build: BuildContext,
}

impl Seen {
    /// The run's namespace.
    pub(crate) fn namespace(&self) -> String {
        self.run.namespace().unwrap_or_default()
    }

    /// Whether the pod of that name is this run's: by uid, and by its account, which nobody else's pod has. Who may edit
    /// pods may write any owner.
    pub(crate) fn owns(&self, pod: &Pod) -> bool {
        let uid = self.run.uid().unwrap_or_default();
        runs_as(pod, RUN_ACCOUNT)
            && pod.owner_references().iter().any(|o| o.uid == uid && o.controller == Some(true))
    }

    /// Whether a pod was made before, as the status says.
    pub(crate) fn had_pod(&self) -> bool {
        self.run.status.as_ref().is_some_and(|s| s.isolation.is_some())
    }
}

/// Looks at the caches; and at the apiserver before a pod is taken for lost.
pub(crate) async fn observe(run: &Arc<SandboxRun>, ctx: &Context) -> Result<Seen, Error> {
    let (namespace, name) = (run.namespace().unwrap_or_default(), run.name_any());
    let pod = ctx.caches.pods.get(&ObjectRef::new(&name).within(&namespace));
    let mut seen = Seen {
        run: Arc::clone(run),
        pod,
        runtime_class_exists: ctx.caches.runtime_class_exists(&run.spec.runtime_class_name),
        build: build_context(run, ctx),
    };
    if seen.pod.is_none() && seen.had_pod() && !super::plan::is_over(run) {
        let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &namespace);
        seen.pod = bounded(&format!("read pod {name}"), api.get_opt(&name)).await?.map(Arc::new);
    }
    Ok(seen)
}

/// A team's label counts only in the team's own namespace: else a tenant could send its pods to another's broker.
fn build_context(run: &SandboxRun, ctx: &Context) -> BuildContext {
    let team = label_of(run, TEAM_UID)
        .and_then(|uid| ctx.caches.team_by_uid(uid))
        .filter(|team| team.namespace() == run.namespace());
    let url = team.as_ref().map(|team| {
        ctx.settings.team_url(Service::Sandbox, &team.name_any(), &team.uid().unwrap_or_default())
    });
    BuildContext {
        golden_image: ctx.settings.image.clone(),
        image_pull_policy: ctx.settings.image_pull_policy.clone(),
        sandbox_url: url,
        service_account: RUN_ACCOUNT.into(),
        placement: team.and_then(|team| team.spec.placement.clone()),
    }
}
