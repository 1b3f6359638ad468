//! Fills the caches and turns what happens to an object into requests for the objects it concerns.

use crate::caches::{Caches, Writers, cut, cut_revision, cut_task, label_of};
use crate::guarded::unguard;
use crate::queues::Queues;
use crate::synced::Synced;
use crate::unreadable::Unreadable;
use crate::whole::Whole;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use golden_crds::labels::{COMPONENT, TEAM_UID};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is there, new or changed.
    There,
    /// It is not there any more.
    Gone,
}

/// What watches need.
pub(crate) struct Wiring {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) caches: Caches,
    pub(crate) queues: Queues,
    pub(crate) synced: Synced,
}

/// How many watches there are.
pub(crate) const WATCHES: usize = 12;

/// One endless future per watch.
pub(crate) fn pumps(wiring: &Arc<Wiring>, w: Writers) -> Vec<BoxFuture<'static, ()>> {
    let all = watcher::Config::default;
    vec![
        guarded(wiring, w.tasks, cut_task, |w, o, c| w.queues.task(&w.caches, o, c)),
        guarded(wiring, w.teams, cut, |w, o, _| w.queues.team(&w.caches, o)),
        guarded(wiring, w.policies, cut, |w, o, _| w.queues.policy(&w.caches, o)),
        guarded(wiring, w.budgets, cut, |w, o, c| w.queues.budget(&w.caches, o, c)),
        guarded(wiring, w.providers, cut, |w, o, _| w.queues.provider(&w.caches, o)),
        guarded(wiring, w.decisions, cut, |w, o, _| w.queues.decisions.ask(ObjectRef::from_obj(o))),
        guarded(wiring, w.revisions, cut_revision, |w, o, _| w.queues.revisions.ask(ObjectRef::from_obj(o))),
        guarded(wiring, w.runs, cut, |w, o, _| w.queues.run(&w.caches, o)),
        plain(wiring, Api::all(wiring.client.clone()), all().labels(COMPONENT), w.pods, |w, o, _| {
            w.queues.pod(&w.caches, o);
        }),
        plain(
            wiring,
            Api::namespaced(wiring.client.clone(), &wiring.namespace),
            all().labels(TEAM_UID),
            w.deployments,
            |w, o, _| {
                if let Some(team) = label_of(o, TEAM_UID).and_then(|uid| w.caches.team_by_uid(uid)) {
                    w.queues.teams.ask(ObjectRef::from_obj(&*team));
                }
            },
        ),
        plain(wiring, Api::all(wiring.client.clone()), all(), w.namespaces, |w, o, _| {
            w.queues.namespace(&w.caches, o.metadata.name.as_deref().unwrap_or_default());
        }),
        plain(wiring, Api::all(wiring.client.clone()), all(), w.runtime_classes, |w, _, _| {
            w.queues.runtime_classes(&w.caches);
        }),
    ]
}

fn guarded<K>(
    wiring: &Arc<Wiring>,
    writer: Writer<K>,
    cut: fn(&mut K),
    touched: fn(&Wiring, &K, Change),
) -> BoxFuture<'static, ()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + Debug + Send + Sync + 'static,
{
    let api: Api<DeserializeGuard<Whole<K>>> = Api::all(wiring.client.clone());
    let (reader, unreadable) = (writer.as_reader(), wiring.caches.unreadable.clone());
    let events = watch(api, watcher::Config::default()).default_backoff().filter_map(move |event| {
        let event = event.map(|event| {
            readable(&event, &unreadable);
            unguard(event, &reader, |bad| unreadable.note::<K>(bad))
        });
        futures::future::ready(event.transpose().map(|e| e.map(|e| e.modify(cut))))
    });
    pump(Arc::clone(wiring), events, writer, touched).boxed()
}

fn plain<K>(
    wiring: &Arc<Wiring>,
    api: Api<K>,
    config: watcher::Config,
    writer: Writer<K>,
    touched: fn(&Wiring, &K, Change),
) -> BoxFuture<'static, ()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let events = watch(api, config).default_backoff().modify(cut);
    pump(Arc::clone(wiring), events, writer, touched).boxed()
}

/// Applies events to the cache first and tells of them afterwards, so that whoever is asked finds what happened.
async fn pump<K>(
    wiring: Arc<Wiring>,
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    mut writer: Writer<K>,
    touched: fn(&Wiring, &K, Change),
) where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let cache = writer.as_reader();
    let mut before: Vec<Arc<K>> = Vec::new();
    let mut first = true;
    futures::pin_mut!(events);
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(kind = %K::kind(&()), %error, "the watch was interrupted; it is opened again");
                continue;
            }
        };
        if matches!(event, Event::Init) {
            before = cache.state();
        }
        writer.apply_watcher_event(&event);
        match &event {
            Event::Apply(object) => touched(&wiring, object, Change::There),
            Event::Delete(object) => touched(&wiring, object, Change::Gone),
            Event::InitDone => {
                relisted(&wiring, &cache.state(), std::mem::take(&mut before), touched);
                if std::mem::take(&mut first) {
                    wiring.synced.listed();
                }
            }
            Event::Init | Event::InitApply(_) => {}
        }
    }
}

/// After a new list: everything that is there may have changed, what is missing was deleted meanwhile.
fn relisted<K: Resource<DynamicType = ()>>(
    wiring: &Wiring,
    now: &[Arc<K>],
    before: Vec<Arc<K>>,
    touched: fn(&Wiring, &K, Change),
) {
    for gone in before {
        if !now.iter().any(|object| object.meta().uid == gone.meta().uid) {
            touched(wiring, &gone, Change::Gone);
        }
    }
    for object in now {
        touched(wiring, object, Change::There);
    }
}

/// What is readable or gone is no longer unreadable. One that still is, is noted afterwards.
fn readable<K>(event: &Event<DeserializeGuard<Whole<K>>>, unreadable: &Unreadable)
where
    K: Resource<DynamicType = ()>,
{
    match event {
        Event::Init => unreadable.list_begins::<K>(),
        Event::InitDone => unreadable.list_ends::<K>(),
        Event::Apply(guard) | Event::InitApply(guard) => {
            if let Ok(Whole(object)) = &guard.0 {
                unreadable.forget::<K>(object.meta());
            }
        }
        Event::Delete(guard) => unreadable.forget::<K>(guard.meta()),
    }
}
