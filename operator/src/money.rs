//! Millionths of a US dollar, for people.

/// `$1.50`, `$0.06`, and below a cent as far as it goes: `$0.000061`.
pub(crate) fn dollars(micro: i64) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    let amount = micro.unsigned_abs();
    if amount >= 10_000 || amount == 0 {
        let cents = (amount + 5_000) / 10_000;
        return format!("{sign}${}.{:02}", cents / 100, cents % 100);
    }
    let digits = format!("{amount:06}");
    format!("{sign}$0.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_to_cents_and_small_ones_are_not_lost() {
        for (micro, text) in [
            (0, "$0.00"),
            (61, "$0.000061"),
            (1_000, "$0.001"),
            (9_999, "$0.009999"),
            (10_000, "$0.01"),
            (61_240, "$0.06"),
            (1_495_000, "$1.50"),
            (123_456_789, "$123.46"),
            (-61_240, "-$0.06"),
        ] {
            assert_eq!(dollars(micro), text);
        }
    }
}
