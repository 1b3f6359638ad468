//! What is asked of Redis.

use std::time::Duration;

use super::{Cache, Missed};

/// Longest value that is believed, in bytes: what is kept there is short.
const MAX_VALUE: usize = 1024;

/// A Lua script: everything it does happens at once, for all who share the Redis. It is sent whole only where the
/// server does not know it yet, as after a restart.
pub struct Script(redis::Script);

impl Script {
    pub fn new(code: &str) -> Self {
        Self(redis::Script::new(code))
    }
}

impl Cache {
    /// What is kept under a key; nothing as well where that cannot be known, or is no text of at most 1024 bytes.
    pub async fn get(&self, key: &str) -> Option<String> {
        let mut get = redis::cmd("GET");
        get.arg(key);
        let asked =
            self.ask(async move |mut connection| get.query_async::<Option<String>>(&mut connection).await);
        asked.await.ok().flatten().filter(|value| value.len() <= MAX_VALUE)
    }

    /// Keeps values under their keys for so long, all in one round trip; or does not.
    pub async fn keep(&self, values: &[(String, String)], time: Duration) {
        let mut pipe = redis::pipe();
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        for (key, value) in values {
            pipe.cmd("SET").arg(key).arg(value).arg("PX").arg(millis).ignore();
        }
        let _ = self.ask(async move |mut connection| pipe.query_async::<()>(&mut connection).await).await;
    }

    /// Runs a script, which answers with numbers.
    pub async fn run(&self, script: &Script, keys: &[String], args: &[String]) -> Result<Vec<i64>, Missed> {
        let mut call = script.0.prepare_invoke();
        for key in keys {
            call.key(key);
        }
        for arg in args {
            call.arg(arg);
        }
        self.ask(async move |mut connection| call.invoke_async::<Vec<i64>>(&mut connection).await).await
    }
}
