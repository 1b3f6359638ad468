//! Times for people.

use jiff::Timestamp;

/// Microseconds since 1970, to the second: rounded down, so that a deadline promises no more time than there is. Empty for
/// what is no time.
pub(crate) fn shown(us: i64) -> String {
    Timestamp::from_second(us.div_euclid(1_000_000)).map_or_else(|_| String::new(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_time_is_shown_to_the_second_and_never_later_than_it_is() {
        assert_eq!(shown(1_999_999), "1970-01-01T00:00:01Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59Z");
        assert_eq!(shown(i64::MAX), "");
    }
}
