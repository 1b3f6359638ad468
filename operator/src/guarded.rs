//! Objects that cannot be read (written by an older or newer version) never block the others.
//!
//! The watch reads through `DeserializeGuard`; a bad object is noted (`crate::unreadable`) and left out. One that was
//! readable before is taken out of the cache, as if nobody watched it: whether it was deleted is a question that
//! is asked of the apiserver and never of the cache.

use crate::whole::Whole;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;

/// Takes the guard off one event. `None`: nothing is to be cached.
pub(crate) fn unguard<K>(
    event: Event<DeserializeGuard<Whole<K>>>,
    cache: &Store<K>,
    mut bad: impl FnMut(&InvalidObject),
) -> Option<Event<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let mut read = |guard: DeserializeGuard<Whole<K>>| match guard.0 {
        Ok(Whole(object)) => Ok(object),
        Err(invalid) => {
            bad(&invalid);
            Err(cached(cache, &invalid))
        }
    };
    match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::InitApply(guard) => read(guard).ok().map(Event::InitApply),
        Event::Apply(guard) => match read(guard) {
            Ok(object) => Some(Event::Apply(object)),
            Err(known) => known.map(Event::Delete),
        },
        // What is gone need not be told of.
        Event::Delete(DeserializeGuard(Ok(Whole(object)))) => Some(Event::Delete(object)),
        Event::Delete(DeserializeGuard(Err(invalid))) => cached(cache, &invalid).map(Event::Delete),
    }
}

fn cached<K>(cache: &Store<K>, invalid: &InvalidObject) -> Option<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let name = invalid.metadata.name.as_deref()?;
    let key = ObjectRef::<K>::new(name);
    let key = match invalid.metadata.namespace.as_deref() {
        Some(namespace) => key.within(namespace),
        None => key,
    };
    cache.get(&key).map(|object| (*object).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_crds::Decision;
    use kube::runtime::reflector::store;
    use serde_json::json;

    fn read(spec: &serde_json::Value) -> DeserializeGuard<Whole<Decision>> {
        serde_json::from_value(json!({
            "apiVersion": "goldenarch.dev/v1alpha1", "kind": "Decision",
            "metadata": {"name": "d", "namespace": "n"}, "spec": spec,
        }))
        .unwrap()
    }

    fn good() -> serde_json::Value {
        json!({"target": {"kind": "AgentTask", "name": "t", "uid": "u", "digest": "d"}, "verdict": "Approve", "decidedBy": "a"})
    }

    #[test]
    fn an_unreadable_object_is_told_of_and_left_out() {
        let (reader, mut writer) = store::<Decision>();
        let mut told = 0;
        let mut pass = |event, writer: &mut kube::runtime::reflector::store::Writer<Decision>| {
            let event = unguard(event, &reader, |_| told += 1);
            if let Some(event) = &event {
                writer.apply_watcher_event(event);
            }
            event.is_some()
        };
        assert!(pass(Event::Apply(read(&good())), &mut writer));
        // It becomes unreadable: it leaves the cache.
        assert!(pass(Event::Apply(read(&json!({"verdict": 7}))), &mut writer));
        // Still unreadable, and a list of only that: nothing happens.
        assert!(!pass(Event::Apply(read(&json!({"verdict": 7}))), &mut writer));
        assert!(!pass(Event::InitApply(read(&json!({}))), &mut writer));
        assert_eq!(told, 3);
        assert_eq!(reader.len(), 0);
    }
}
