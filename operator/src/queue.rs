//! Requests to reconcile, from watches of any kind, notifications and timers, and the loop that serves them.
//!
//! One watch per kind feeds every controller that cares (memory), so requests travel by queue instead of by a
//! watch per controller. The runtime's applier removes duplicates and never runs one object twice at a time.

use crate::context::Context;
use crate::error::{Error, requeue};
use futures::StreamExt;
use futures::channel::mpsc;
use kube::Resource;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::{ObjectRef, Store};
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Objects of one controller that are worked on at the same time.
const CONCURRENCY: u16 = 16;
/// Bounds one reconcile, over the bounds of its effects.
const RECONCILE: Duration = Duration::from_mins(2);

/// Where requests of one kind are put.
#[derive(Debug)]
pub(crate) struct Queue<K: Resource<DynamicType = ()> + 'static>(mpsc::UnboundedSender<ObjectRef<K>>);

impl<K: Resource<DynamicType = ()> + 'static> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The other end.
pub(crate) type Requests<K> = mpsc::UnboundedReceiver<ObjectRef<K>>;

/// A queue of one kind.
pub(crate) fn queue<K: Resource<DynamicType = ()> + 'static>() -> (Queue<K>, Requests<K>) {
    let (sender, receiver) = mpsc::unbounded();
    (Queue(sender), receiver)
}

impl<K: Resource<DynamicType = ()> + 'static> Queue<K> {
    /// Asks for one object. Unbounded but for the number of objects: the applier drains it into a set.
    pub(crate) fn ask(&self, object: ObjectRef<K>) {
        // The receiver is gone only while the process ends.
        let _ = self.0.unbounded_send(object);
    }

    /// Asks for every cached object that fits.
    pub(crate) fn ask_where(&self, cache: &Store<K>, fits: impl Fn(&K) -> bool)
    where
        K: Clone,
    {
        for object in cache.state() {
            if fits(&object) {
                self.ask(ObjectRef::from_obj(&*object));
            }
        }
    }

    /// Ends the loop once its reconciles are done.
    pub(crate) fn close(&self) {
        self.0.close_channel();
    }
}

/// Serves the requests of one controller until its queue is closed. A follower does nothing; when it becomes the
/// leader it is asked for everything.
pub(crate) async fn serve<K, F, Fut>(
    name: &'static str,
    ctx: Arc<Context>,
    cache: Store<K>,
    requests: Requests<K>,
    reconcile: F,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: Fn(Arc<K>, Arc<Context>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Action, Error>> + Send + 'static,
{
    let config = controller::Config::default().concurrency(CONCURRENCY);
    let requests = requests.map(Ok::<_, Infallible>);
    let one = move |object: Arc<K>, ctx: Arc<Context>| Box::pin(once(name, object, ctx, reconcile.clone()));
    let policy = move |object: Arc<K>, error: &Error, ctx: Arc<Context>| failed(name, &*object, error, &ctx);
    controller::applier(one, policy, ctx, cache, requests, config)
        .for_each(|result| async move {
            if let Err(controller::Error::RunnerError(error)) = result {
                tracing::error!(controller = name, %error, "the controller's cache is gone");
            }
        })
        .await;
}

async fn once<K, F, Fut>(
    name: &'static str,
    object: Arc<K>,
    ctx: Arc<Context>,
    reconcile: F,
) -> Result<Action, Error>
where
    K: Resource<DynamicType = ()>,
    F: Fn(Arc<K>, Arc<Context>) -> Fut,
    Fut: Future<Output = Result<Action, Error>>,
{
    if !ctx.leadership.held() {
        return Ok(Action::await_change());
    }
    let timer = ctx.metrics.reconcile(name);
    let key = key(name, object.meta());
    let done = tokio::time::timeout(RECONCILE, reconcile(object, Arc::clone(&ctx))).await;
    let result = done.unwrap_or_else(|_| {
        Err(Error::TimedOut { action: format!("reconcile {key}"), seconds: RECONCILE.as_secs() })
    });
    timer.done(result.is_ok());
    if result.is_ok() {
        ctx.failures.succeeded(&key);
    }
    result
}

fn failed<K: Resource<DynamicType = ()>>(
    name: &'static str,
    object: &K,
    error: &Error,
    ctx: &Context,
) -> Action {
    let key = key(name, object.meta());
    let failures = ctx.failures.failed(&key);
    let pause = requeue(error.class(), failures);
    tracing::warn!(object = key, class = ?error.class(), failures, retry_seconds = pause.as_secs(), %error, "reconcile failed");
    Action::requeue(pause)
}

/// The key under which failures of an object are counted.
pub(crate) fn key(
    controller: &str,
    meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
) -> String {
    let part = |value: &Option<String>| value.clone().unwrap_or_default();
    format!("{controller}/{}/{}", part(&meta.namespace), part(&meta.name))
}
