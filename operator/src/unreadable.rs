//! Objects that this version cannot take: written by a newer or older one, or with a field it does not serve.
//!
//! The watches note them; the leader says so in the object's conditions and by an event, once per spec. Whoever
//! decides from a whole kind asks whether one of it could not be read: a policy that cannot be read may be the one
//! that forbids.

use crate::context::Context;
use crate::effects::bounded;
use crate::error::Error;
use crate::whole::NOT_SERVED;
use golden_crds::conditions::shared::{INVALID_SPEC, UNSERVED_FIELD};
use golden_crds::conditions::{
    ACCEPTED, Lifecycle, RunState, Status, set_condition, set_lifecycle, set_run_state,
};
use golden_platform::CancellationToken;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::core::error_boundary::InvalidObject;
use kube::core::{ApiResource, DynamicObject, ObjectMeta};
use kube::{Api, Resource};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Kind, namespace, name.
type Key = (String, Option<String>, String);

/// One object that cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    resource: ApiResource,
    uid: Option<String>,
    generation: Option<i64>,
    error: String,
    /// Its conditions say so.
    told: bool,
    /// Seen by the list under way.
    listed: bool,
}

/// All of them, shared by the watches and the controllers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unreadable(Arc<Mutex<BTreeMap<Key, Note>>>);

impl Unreadable {
    fn notes(&self) -> MutexGuard<'_, BTreeMap<Key, Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watch saw one.
    pub(crate) fn note<K: Resource<DynamicType = ()>>(&self, bad: &InvalidObject) {
        let Some(key) = key::<K>(&bad.metadata) else { return };
        let (uid, generation) = (bad.metadata.uid.clone(), bad.metadata.generation);
        let mut notes = self.notes();
        let same = |n: &&Note| n.uid == uid && n.generation == generation && n.error == bad.error;
        let told = notes.get(&key).filter(same).is_some_and(|n| n.told);
        if !told {
            tracing::warn!(
                kind = key.0,
                namespace = key.1,
                name = key.2,
                error = bad.error,
                "cannot be read"
            );
        }
        let (resource, error) = (ApiResource::erase::<K>(&()), bad.error.clone());
        notes.insert(key, Note { resource, uid, generation, error, told, listed: true });
    }

    /// The watch saw it readable, or gone.
    pub(crate) fn forget<K: Resource<DynamicType = ()>>(&self, metadata: &ObjectMeta) {
        if let Some(key) = key::<K>(metadata) {
            self.notes().remove(&key);
        }
    }

    /// A list begins: what it does not name again is gone.
    pub(crate) fn list_begins<K: Resource<DynamicType = ()>>(&self) {
        self.notes().iter_mut().filter(|(k, _)| k.0 == K::kind(&())).for_each(|(_, n)| n.listed = false);
    }

    /// The list ended.
    pub(crate) fn list_ends<K: Resource<DynamicType = ()>>(&self) {
        self.notes().retain(|k, n| k.0 != K::kind(&()) || n.listed);
    }

    /// The first of this kind (in this namespace, where the kind has one), in words.
    pub(crate) fn first<K: Resource<DynamicType = ()>>(&self, namespace: Option<&str>) -> Option<String> {
        let notes = self.notes();
        let (key, note) = notes
            .iter()
            .find(|(k, _)| k.0 == K::kind(&()) && (k.1.is_none() || k.1.as_deref() == namespace))?;
        Some(words(key, note))
    }

    /// The one of this kind and name, in words, if it is one of them.
    pub(crate) fn named<K: Resource<DynamicType = ()>>(&self, namespace: &str, name: &str) -> Option<String> {
        let key = (K::kind(&()).into_owned(), Some(namespace.to_owned()), name.to_owned());
        self.notes().get(&key).map(|note| words(&key, note))
    }

    fn untold(&self) -> Vec<(Key, Note)> {
        self.notes().iter().filter(|(_, n)| !n.told).map(|(k, n)| (k.clone(), n.clone())).collect()
    }

    fn told(&self, key: &Key, told: &Note) {
        if let Some(note) = self.notes().get_mut(key)
            && note.uid == told.uid
            && note.generation == told.generation
        {
            note.told = true;
        }
    }
}

fn key<K: Resource<DynamicType = ()>>(metadata: &ObjectMeta) -> Option<Key> {
    Some((K::kind(&()).into_owned(), metadata.namespace.clone(), metadata.name.clone()?))
}

fn words(key: &Key, note: &Note) -> String {
    format!("{} {} cannot be used: {}", key.0, key.2, explain(&note.error))
}

/// What is wrong and what to do.
fn explain(error: &str) -> String {
    if error.contains(NOT_SERVED) {
        return format!(
            "{error}; nothing is done that would only look enforced. Take the field out, or upgrade Golden"
        );
    }
    format!("this version of Golden cannot read it: {error}. Correct it or delete it")
}

/// How soon one is told of.
const EVERY: Duration = Duration::from_secs(2);

/// Tells until `stop`, while this process leads.
pub(crate) async fn run(ctx: Arc<Context>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if ctx.leadership.held()
            && let Err(error) = tell(&ctx).await
        {
            tracing::warn!(%error, "could not tell of an object that cannot be read; it is tried again");
        }
    }
}

/// Tells of every object that was not told of. Repeatable: telling twice changes nothing.
async fn tell(ctx: &Context) -> Result<(), Error> {
    for (key, note) in ctx.caches.unreadable.untold() {
        let why = if note.error.contains(NOT_SERVED) { UNSERVED_FIELD } else { INVALID_SPEC };
        let message = explain(&note.error);
        write(ctx, &key, &note, why, &message).await?;
        let (kind, namespace, name) = key.clone();
        let reference = ObjectReference {
            api_version: Some(note.resource.api_version.clone()),
            kind: Some(kind),
            name: Some(name),
            namespace,
            uid: note.uid.clone(),
            ..ObjectReference::default()
        };
        ctx.events.send_to(&reference, true, why, &message).await;
        ctx.caches.unreadable.told(&key, &note);
    }
    Ok(())
}

/// The status is taken as it is, and only its conditions change: the kind's own controller writes it again, under
/// the same name, once the object can be read.
async fn write(ctx: &Context, key: &Key, note: &Note, why: &str, message: &str) -> Result<(), Error> {
    let (kind, namespace, name) = key;
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(ctx.client.clone(), namespace, &note.resource),
        None => Api::all_with(ctx.client.clone(), &note.resource),
    };
    let there = bounded(&format!("read {kind} {name}"), api.get_opt(name)).await?;
    let Some(there) = there.filter(|o| o.metadata.uid == note.uid) else { return Ok(()) };
    let mut status = there.data.get("status").filter(|s| s.is_object()).cloned().unwrap_or_else(|| json!({}));
    let conditions = status.get("conditions").cloned().unwrap_or_default();
    let mut conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap_or_default();
    stall(kind, &mut conditions, why, message, note.generation);
    status["conditions"] = serde_json::to_value(&conditions).unwrap_or(Value::Null);
    status["observedGeneration"] = json!(note.generation);
    let body = json!({
        "apiVersion": note.resource.api_version,
        "kind": kind,
        "metadata": {"name": name, "uid": note.uid},
        "status": status,
    });
    let params = PatchParams::apply(&format!("golden-{}", kind.to_lowercase())).force();
    let action = format!("write the status of {kind} {name}");
    bounded(&action, api.patch_status(name, &params, &Patch::Apply(&body))).await.map(drop)
}

fn stall(kind: &str, conditions: &mut Vec<Condition>, why: &str, message: &str, generation: Option<i64>) {
    let now = Timestamp::now();
    match kind {
        "AgentTask" | "SandboxRun" => {
            set_run_state(conditions, RunState::Stalled, why, message, generation, now);
        }
        "Decision" => {
            set_condition(conditions, ACCEPTED, Status::Unknown, why, message, generation, now);
        }
        _ => {
            set_lifecycle(conditions, Lifecycle::Stalled, why, message, generation, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_crds::{AgentTask, Budget, GovernancePolicy};

    fn bad(name: &str, generation: i64, error: &str) -> InvalidObject {
        let metadata =
            ObjectMeta { name: Some(name.into()), generation: Some(generation), ..ObjectMeta::default() };
        InvalidObject { error: error.into(), metadata }
    }

    #[test]
    fn one_is_told_once_per_spec_and_forgotten_when_it_is_gone() {
        let all = Unreadable::default();
        all.note::<GovernancePolicy>(&bad("p", 1, "this version of Golden does not serve spec.x"));
        let (key, note) = all.untold().remove(0);
        all.told(&key, &note);
        // The status was written: a new version of the object, and the same spec.
        all.note::<GovernancePolicy>(&bad("p", 1, "this version of Golden does not serve spec.x"));
        assert!(all.untold().is_empty());
        all.note::<GovernancePolicy>(&bad("p", 2, "this version of Golden does not serve spec.y"));
        assert_eq!(all.untold().len(), 1, "another spec");
        assert!(all.first::<GovernancePolicy>(None).unwrap().contains("spec.y; nothing is done"));
        assert_eq!(all.first::<Budget>(Some("n")), None);
        all.forget::<GovernancePolicy>(&bad("p", 3, "").metadata);
        assert_eq!(all.first::<GovernancePolicy>(None), None);
    }

    #[test]
    fn one_is_found_by_its_kind_namespace_and_name() {
        let all = Unreadable::default();
        let mut odd = bad("first", 1, "this version of Golden does not serve spec.x");
        odd.metadata.namespace = Some("home".into());
        all.note::<AgentTask>(&odd);
        assert!(
            all.named::<AgentTask>("home", "first").unwrap().starts_with("AgentTask first cannot be used")
        );
        for (namespace, name) in [("other", "first"), ("home", "second")] {
            assert_eq!(all.named::<AgentTask>(namespace, name), None);
        }
        assert_eq!(all.named::<Budget>("home", "first"), None);
    }

    #[test]
    fn a_list_drops_what_it_does_not_name_and_never_forgets_in_between() {
        let all = Unreadable::default();
        all.note::<GovernancePolicy>(&bad("gone", 1, "e"));
        all.note::<GovernancePolicy>(&bad("kept", 1, "e"));
        all.list_begins::<GovernancePolicy>();
        assert!(all.first::<GovernancePolicy>(None).is_some(), "until the list has ended");
        all.note::<GovernancePolicy>(&bad("kept", 1, "e"));
        all.list_ends::<GovernancePolicy>();
        assert_eq!(all.notes().len(), 1);
    }
}
