//! Where drills live: a namespace with a team, budgets, Secrets and a person who decides; and the policies that all
//! such namespaces share.

use crate::world::World;
use anyhow::Result;
use golden_scenarios::install::condition;
use golden_scenarios::tools::wait_for;
use std::time::Duration;

/// Label of every namespace of a drill.
const LABEL: &str = "chaos";
/// The team of a home.
pub(crate) const TEAM: &str = "core";
/// Who answers escalations there.
pub(crate) const PERSON: &str = "bob@example";

const POLICY: &str = r"
apiVersion: goldenarch.dev/v1alpha1
kind: GovernancePolicy
metadata: {name: chaos}
spec:
  priority: 10
  namespaceSelector: {matchLabels: {goldenarch.dev/example: chaos}}
  review:
    quorumPercent: 50
    approvePercent: 50
    onTie: Escalate
    voters: [{role: security}, {role: reviewer}]
    timeoutSeconds: 600
  escalation: {deadlineSeconds: 86400, onDeadline: Reject}
  sandbox: {runtimeClassName: gvisor, maxTimeoutSeconds: 300}
---
apiVersion: goldenarch.dev/v1alpha1
kind: GovernancePolicy
metadata: {name: chaos-approved}
spec:
  priority: 5
  namespaceSelector: {matchLabels: {goldenarch.dev/example: chaos}}
  taskSelector: {matchLabels: {approval: needed}}
  approvals: [{when: Always}]
";

const CONTENT: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: approvers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "golden:approver"}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: PERSON}]
---
apiVersion: v1
kind: Secret
metadata:
  name: git-read
  annotations: {goldenarch.dev/use: git-read, goldenarch.dev/hosts: git.golden-demo}
stringData: {username: reader, password: reader-demo}
---
apiVersion: v1
kind: Secret
metadata:
  name: git-write
  annotations: {goldenarch.dev/use: git-write, goldenarch.dev/hosts: git.golden-demo}
stringData: {username: golden, password: golden-demo}
---
apiVersion: goldenarch.dev/v1alpha1
kind: Budget
metadata: {name: drills}
spec: {limits: {costMicroUSD: 50000000}, period: Total, onExhausted: Pause}
---
apiVersion: goldenarch.dev/v1alpha1
kind: Budget
metadata: {name: small}
spec:
  limits: {costMicroUSD: 100}
  period: Total
  selector: {matchLabels: {purse: small}}
  parentRef: {name: drills}
  onExhausted: Pause
---
apiVersion: goldenarch.dev/v1alpha1
kind: AgentTeam
metadata: {name: core}
spec:
  maxConcurrentTasks: 20
  roles: [{name: developer, modelRef: {provider: shared, model: standard}}]
"#;

/// A namespace of drills.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) namespace: String,
    pub(crate) team_uid: String,
}

impl Home {
    /// Makes it anew: what an earlier run left there goes first.
    pub(crate) fn build(world: &World, name: &str) -> Result<Self> {
        let namespace = format!("chaos-{name}");
        Self::raze(world, &namespace)?;
        world.tools.apply(POLICY, &[])?;
        let space = serde_json::json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"goldenarch.dev/example": LABEL}}});
        world.tools.apply(&space.to_string(), &[])?;
        world.tools.apply(&CONTENT.replace("PERSON", PERSON), &["-n", &namespace])?;
        let team_uid = wait_for("the drill's team to be Ready", Duration::from_mins(3), || {
            let team = world.tools.get(&["-n", &namespace, "agentteam", TEAM])?;
            let uid = team["metadata"]["uid"].as_str().map(str::to_owned);
            Ok(uid.filter(|_| condition(&team, "Ready") == Some("True")))
        })?;
        Ok(Self { namespace, team_uid })
    }

    /// Removes a namespace and waits until it is gone.
    pub(crate) fn raze(world: &World, namespace: &str) -> Result<()> {
        world
            .tools
            .kubectl(&["delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s"])
            .map(drop)
    }
}

/// Removes the policies, once no drill is left.
pub(crate) fn remove_policies(world: &World) -> Result<()> {
    let named = ["delete", "governancepolicy", "chaos", "chaos-approved", "--ignore-not-found"];
    world.tools.kubectl(&named).map(drop)
}
