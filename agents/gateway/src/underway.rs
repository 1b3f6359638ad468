//! A call under way. It runs within the task of its client's connection, so that no other one has to be woken for each of
//! its steps, and goes on by itself once nobody waits for it there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// A call. Ready once it has ended; dropped before, it goes on in a task of its own: it settles what it began.
pub(crate) struct Underway {
    /// Tracked: it is among those that are waited for when the process ends, wherever it runs then.
    call: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Underway {
    pub(crate) fn new(call: impl Future<Output = ()> + Send + 'static, calls: &TaskTracker) -> Self {
        Self { call: Some(Box::pin(calls.track_future(call))) }
    }
}

impl Future for Underway {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(call) = self.call.as_mut() else { return Poll::Ready(()) };
        // A fault of ours ends this call, not its connection; the panic hook has told of it.
        let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)));
        if let Ok(Poll::Pending) = polled {
            return Poll::Pending;
        }
        self.call = None;
        Poll::Ready(())
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the ledger charges the call when its lease does.
        if let (Some(call), Ok(runtime)) = (self.call.take(), Handle::try_current()) {
            runtime.spawn(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_call_whose_connection_is_gone_goes_on_and_is_waited_for() {
        let calls = TaskTracker::new();
        let (go, wait) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let mut call = Underway::new(
            async move {
                wait.await.unwrap();
                tell.send("settled").unwrap();
            },
            &calls,
        );
        assert!(futures::poll!(&mut call).is_pending());
        drop(call);
        assert_eq!(calls.len(), 1);
        go.send(()).unwrap();
        assert_eq!(told.await, Ok("settled"));
        calls.close();
        calls.wait().await;
    }

    #[tokio::test]
    async fn a_call_that_fails_leaves_its_connection_alone() {
        let calls = TaskTracker::new();
        Underway::new(async { panic!("as a fault of ours would") }, &calls).await;
        assert!(calls.is_empty());
    }
}
