//! How sure a model says it is.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value, json};

/// Percent, 0 to 100. A number with a decimal point up to 1 is read as a share: `0.9` is 90.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Confidence(u8);

impl Confidence {
    pub fn percent(self) -> u8 {
        self.0
    }

    pub(super) fn schema() -> Value {
        json!({"type": "number", "minimum": 0, "maximum": 100})
    }
}

impl<'de> Deserialize<'de> for Confidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        percent(&number)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("confidence {number} is not within 0 to 100")))
    }
}

fn percent(number: &Number) -> Option<u8> {
    if let Some(whole) = number.as_u64() {
        return u8::try_from(whole).ok().filter(|percent| *percent <= 100);
    }
    let share = number.as_f64().filter(|share| (0.0..=1.0).contains(share))?;
    (0..=100_u8).find(|percent| f64::from(*percent) + 0.5 > share * 100.0)
}
