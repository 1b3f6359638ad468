//! Breakers by name, shared by all callers of a process.
//!
//! Names may come from people (hosts of repositories), so their number is bounded: when there are too many, the one
//! longest unused that holds nothing worth keeping goes. If none can go, a caller gets a breaker that works but is
//! shared with nobody and not listed: a bound must not refuse calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::state::{Breaker, Refused, Settings, State};
use super::view::View;

/// Most breakers of one process.
pub const MAX_NAMES: usize = 256;
/// Longest name, in bytes; a longer one is cut.
const MAX_NAME: usize = 160;
/// An open breaker nobody asked for so long may go.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// The breakers of a process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Breakers {
    named: Arc<Mutex<BTreeMap<String, Arc<Circuit>>>>,
}

/// One breaker, with its lock.
#[derive(Debug)]
pub struct Circuit {
    name: String,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    breaker: Breaker,
    used: Instant,
}

/// What became of a call.
#[derive(Debug, thiserror::Error)]
pub enum Called<E> {
    #[error("{name}: {refused}")]
    Refused { name: String, refused: Refused },
    #[error("{0}")]
    Failed(E),
}

impl Breakers {
    /// The breaker of a name, made with the usual settings if there is none.
    pub fn get(&self, name: &str) -> Arc<Circuit> {
        self.with(name, Settings::default())
    }

    /// The breaker of a name. The settings are those of whoever asked first.
    pub fn with(&self, name: &str, settings: Settings) -> Arc<Circuit> {
        let now = Instant::now();
        let name = cut(name);
        let mut named = self.lock();
        if let Some(circuit) = named.get(name) {
            return Arc::clone(circuit);
        }
        let circuit = Arc::new(Circuit::new(name, settings, now));
        if named.len() >= MAX_NAMES {
            let idle = named.iter().filter(|(_, c)| Arc::strong_count(c) == 1 && c.is_idle(now));
            let oldest = idle.min_by_key(|(_, c)| c.kept().used).map(|(name, _)| name.clone());
            let Some(oldest) = oldest else {
                tracing::warn!(name, "{MAX_NAMES} breakers are in use; this one is not shared");
                return circuit;
            };
            named.remove(&oldest);
        }
        named.insert(name.to_owned(), Arc::clone(&circuit));
        circuit
    }

    /// How all stand, by name.
    pub fn views(&self, now: Instant) -> Vec<View> {
        let circuits: Vec<Arc<Circuit>> = self.lock().values().cloned().collect();
        circuits.iter().map(|circuit| View::new(&circuit.name, &circuit.kept().breaker, now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Circuit>>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    fn new(name: &str, settings: Settings, now: Instant) -> Self {
        let kept = Kept { breaker: Breaker::new(settings), used: now };
        Self { name: name.to_owned(), kept: Mutex::new(kept) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks to make a call. Whoever is let through reports how it went; a probe of which nothing is heard is given
    /// up by itself.
    pub fn admit(&self, now: Instant) -> Result<(), Refused> {
        let mut kept = self.kept();
        kept.used = now;
        let before = kept.breaker.state();
        let admitted = kept.breaker.admit(now);
        self.told(before, kept.breaker.state());
        admitted
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.kept().breaker.state()
    }

    /// Goes by other settings from now on.
    pub fn set(&self, settings: Settings) {
        self.kept().breaker.set(settings);
    }

    /// Closes it, since what failed is not what is called any more.
    pub fn close(&self) {
        let mut kept = self.kept();
        let before = kept.breaker.state();
        kept.breaker.close();
        self.told(before, kept.breaker.state());
    }

    /// Reports how a call went: badly, if it says that the other side is away. A refusal of a wrong request is an answer.
    pub fn report(&self, well: bool, now: Instant) {
        let mut kept = self.kept();
        let before = kept.breaker.state();
        if well {
            kept.breaker.success();
        } else {
            kept.breaker.failure(now);
        }
        self.told(before, kept.breaker.state());
    }

    /// Makes a call, if it is let through. `away` says which errors mean that the other side is away.
    pub async fn call<T, E>(
        &self,
        away: impl Fn(&E) -> bool,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Called<E>> {
        self.admit(Instant::now()).map_err(|refused| Called::Refused { name: self.name.clone(), refused })?;
        let done = work.await;
        self.report(done.as_ref().err().is_none_or(|error| !away(error)), Instant::now());
        done.map_err(Called::Failed)
    }

    fn told(&self, before: State, after: State) {
        if before.name() != after.name() {
            tracing::info!(
                breaker = self.name,
                from = before.name(),
                to = after.name(),
                "a circuit breaker moved"
            );
        }
    }

    /// Whether nothing is lost if it goes.
    fn is_idle(&self, now: Instant) -> bool {
        let kept = self.kept();
        matches!(kept.breaker.state(), State::Closed { failures: 0 })
            || now.saturating_duration_since(kept.used) > FORGOTTEN
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(breakers: &Breakers, name: &str, now: Instant) -> Arc<Circuit> {
        let circuit = breakers.get(name);
        for _ in 0..Settings::default().failure_threshold {
            circuit.report(false, now);
        }
        circuit
    }

    #[test]
    fn callers_of_one_name_share_its_breaker() {
        let (breakers, now) = (Breakers::default(), Instant::now());
        drop(open(&breakers, "git/a", now));
        assert!(breakers.clone().get("git/a").admit(now).is_err());
        assert!(breakers.get("git/b").admit(now).is_ok(), "another name is another breaker");
    }

    #[test]
    fn their_number_is_bounded_and_an_open_one_is_not_forgotten_for_new_names() {
        let (breakers, now) = (Breakers::default(), Instant::now());
        drop(open(&breakers, "away", now));
        for n in 0..4 * MAX_NAMES {
            breakers.get(&format!("git/{n}"));
        }
        assert_eq!(breakers.views(now).len(), MAX_NAMES);
        assert!(breakers.get("away").admit(now).is_err());
    }

    #[test]
    fn breakers_in_use_stay_and_one_too_many_works_unlisted() {
        let breakers = Breakers::default();
        let held: Vec<_> = (0..MAX_NAMES).map(|n| breakers.get(&n.to_string())).collect();
        let extra = breakers.get("extra");
        assert!(extra.admit(Instant::now()).is_ok());
        assert!(breakers.views(Instant::now()).iter().all(|view| view.name != "extra"));
        drop(held);
        breakers.get("extra");
        assert!(breakers.views(Instant::now()).iter().any(|view| view.name == "extra"));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let breakers = Breakers::default();
        assert!(breakers.get(&"é".repeat(500)).name().len() <= MAX_NAME);
    }

    #[tokio::test]
    async fn only_errors_that_mean_an_outage_open_it_and_then_no_work_is_done() {
        let circuit = Breakers::default().get("store");
        let call = async |error: &'static str| {
            circuit.call(|e: &&str| *e == "away", async { Err::<(), _>(error) }).await
        };
        for _ in 0..20 {
            assert!(matches!(call("not found").await, Err(Called::Failed("not found"))));
        }
        for _ in 0..5 {
            assert!(matches!(call("away").await, Err(Called::Failed("away"))));
        }
        let refused: Result<(), Called<&str>> =
            circuit.call(|_| true, async { panic!("the work was done") }).await;
        let Err(Called::Refused { name, .. }) = refused else { panic!("not refused") };
        assert_eq!(name, "store");
    }

    #[test]
    fn threads_count_together() {
        let breakers = Breakers::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..1000 {
                        let circuit = breakers.get(&format!("n{}", n % 10));
                        circuit.admit(Instant::now()).unwrap();
                        circuit.report(true, Instant::now());
                    }
                });
            }
        });
        let views = breakers.views(Instant::now());
        assert_eq!(views.len(), 10);
        assert!(
            views.iter().all(|v| (v.statistics.admitted, v.statistics.succeeded) == (800, 800)),
            "{views:?}"
        );
    }
}
