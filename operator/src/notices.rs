//! Notifications of Postgres: hints that a task's view or an account changed. The relist is the guarantee.

use crate::context::Context;
use futures::StreamExt;
use golden_platform::CancellationToken;
use golden_platform::db::{Notice, listen};
use golden_platform::subjects::{NOTIFY_ACCOUNTS, NOTIFY_PROVIDERS, NOTIFY_TASKS};
use kube::runtime::reflector::ObjectRef;
use std::sync::Arc;

/// Turns notifications into requests until `stop`.
pub(crate) async fn run(ctx: Arc<Context>, database_url: String, stop: CancellationToken) {
    let mut notices = listen(&database_url, &[NOTIFY_TASKS, NOTIFY_ACCOUNTS, NOTIFY_PROVIDERS]);
    loop {
        let notice = tokio::select! {
            () = stop.cancelled() => return,
            notice = notices.next() => notice,
        };
        match notice {
            None => return,
            // What was told while the connection was away is lost: look at everything that is open.
            Some(Notice::Connected) => {
                ctx.queues.tasks.ask_where(&ctx.caches.tasks, |t| !crate::queues::ended(t));
                ctx.queues.budgets.ask_where(&ctx.caches.budgets, |_| true);
                ctx.queues.providers.ask_where(&ctx.caches.providers, |_| true);
            }
            Some(Notice::Message { channel, payload }) => told(&ctx, &channel, &payload),
        }
    }
}

fn told(ctx: &Context, channel: &str, uid: &str) {
    if channel == NOTIFY_TASKS {
        if let Some(task) = ctx.caches.task_by_uid(uid) {
            ctx.queues.tasks.ask(ObjectRef::from_obj(&*task));
        }
    } else if channel == NOTIFY_PROVIDERS {
        ctx.queues.providers.ask_where(&ctx.caches.providers, |p| p.metadata.uid.as_deref() == Some(uid));
    } else {
        // An account's parents stand otherwise too.
        ctx.queues.budgets.ask_where(&ctx.caches.budgets, |b| b.metadata.uid.as_deref() == Some(uid));
    }
}
