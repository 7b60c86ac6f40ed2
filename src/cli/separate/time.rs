//! Times: of options, as seconds or as on a clock, and as text.

use std::str::FromStr;
use std::time::Duration;

/// A time in seconds, typed as `90`, `90.5`, `1:30` or `1:01:30`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seconds(pub(super) f64);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seconds, String> {
        let invalid = || format!("{text:?} is not a time: use seconds, or m:ss, or h:mm:ss");
        let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        let parts: Vec<&str> = text.split(':').collect();
        if parts.len() > 3 || !parts.iter().all(|part| is_number(part)) {
            return Err(invalid());
        }
        let mut seconds = 0.0;
        for (index, part) in parts.iter().enumerate() {
            let is_last = index + 1 == parts.len();
            let value: f64 = match is_last {
                true => part.parse().map_err(|_| invalid())?,
                false => part.parse::<u32>().map_err(|_| invalid())?.into(),
            };
            // Minutes and seconds behind a colon.
            if index > 0 && value >= 60.0 {
                return Err(invalid());
            }
            seconds = 60.0 * seconds + value;
        }
        Ok(Seconds(seconds))
    }
}

/// A duration as on a clock.
pub(super) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_as_on_a_clock() {
        let times = [
            ("90", 90.0),
            ("0.25", 0.25),
            ("1:30", 90.0),
            ("1:01:30.5", 3690.5),
            ("90:00", 5400.0),
        ];
        for (text, seconds) in times {
            assert_eq!(text.parse(), Ok(Seconds(seconds)));
        }
        for text in ["", "-1", "1:60", "1:2:3:4", "1:", ":30", "1.5:30", "nan", "inf", "1m"] {
            assert!(text.parse::<Seconds>().is_err(), "{text:?} passed");
        }
    }
    #[test]
    fn durations_read_as_on_a_clock() {
        let texts = [0, 59, 61, 3600, 36_061].map(|s| clock(Duration::from_secs(s)));
        assert_eq!(texts, ["0:00", "0:59", "1:01", "1:00:00", "10:01:01"]);
    }
}
