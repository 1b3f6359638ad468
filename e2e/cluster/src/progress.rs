//! What a person sees while slow work runs: a line when a step begins, a line
//! now and then while it lasts, and how long it took. Everything goes to
//! standard error, so that standard output stays for results.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

const FIRST_SIGN: Duration = Duration::from_secs(10);
const NEXT_SIGNS: Duration = Duration::from_secs(20);

/// Runs `work` as a named step.
pub(crate) fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    step_with(title, || None, work)
}

/// Runs `work` as a named step; while it lasts, `detail` says how far it is.
pub(crate) fn step_with<T>(
    title: &str,
    detail: impl Fn() -> Option<String> + Send,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let begun = Instant::now();
    note(title);
    // The first line explains; later ones only name the step.
    let title = title.split(':').next().unwrap_or(title);
    let outcome = thread::scope(|scope| {
        let (done, finished) = mpsc::channel::<()>();
        scope.spawn(move || {
            let mut pause = FIRST_SIGN;
            while finished.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = NEXT_SIGNS;
                let detail = detail().map(|text| format!(" ({text})")).unwrap_or_default();
                note(&format!("  … {title}: {}{detail}", human(begun.elapsed())));
            }
        });
        let outcome = work();
        drop(done);
        outcome
    });
    let verdict = if outcome.is_ok() { "done" } else { "FAILED" };
    if begun.elapsed() > Duration::from_secs(1) || outcome.is_err() {
        note(&format!("  {verdict} after {}: {title}", human(begun.elapsed())));
    }
    outcome
}

/// One line with the time since the program started.
pub(crate) fn note(text: &str) {
    static START: OnceLock<Instant> = OnceLock::new();
    static LINE: Mutex<()> = Mutex::new(());
    let elapsed = START.get_or_init(Instant::now).elapsed().as_secs();
    let _whole_line = LINE.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("[{:>2}:{:02}] {text}", elapsed / 60, elapsed % 60);
}

/// `4.2 s`, `3 min 10 s`.
pub(crate) fn human(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if seconds < 60 {
        return format!("{:.1} s", elapsed.as_secs_f64());
    }
    format!("{} min {} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        assert_eq!(human(Duration::from_millis(4_230)), "4.2 s");
        assert_eq!(human(Duration::from_secs(190)), "3 min 10 s");
    }

    #[test]
    fn a_step_gives_back_what_its_work_gave() {
        assert_eq!(step("quick", || Ok(7)).unwrap(), 7);
        assert!(step("broken", || -> Result<()> { anyhow::bail!("no") }).is_err());
    }
}
