//! What is heard of money: the ledger and the operator notify when an account moves or its limit is edited. A notice
//! is a hint that a held call may ask again; asking now and then anyway is the guarantee.

use futures::StreamExt as _;
use golden_platform::db::{self, Notice};
use golden_platform::subjects::NOTIFY_ACCOUNTS;
use tokio::sync::broadcast::Sender;
use uuid::Uuid;

/// Notices kept for a call that is slow to hear them; one that missed some asks at once.
pub const KEPT: usize = 64;

/// Passes on what the database tells, for ever. The nil uid stands for any account.
pub async fn hear(database_url: &str, money: Sender<Uuid>) {
    let mut notices = db::listen(database_url, &[NOTIFY_ACCOUNTS]);
    while let Some(notice) = notices.next().await {
        let account = match notice {
            Notice::Message { payload, .. } => payload.parse().unwrap_or_default(),
            // What moved while nothing was heard is not known: any.
            Notice::Connected => Uuid::nil(),
        };
        // That no call waits is no error.
        let _ = money.send(account);
    }
}
