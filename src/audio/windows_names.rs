//! File names that Windows reserves for devices.

/// Reserved in any folder, in any case and with any extension: `aux.wav` is not a file on Windows.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Reserved with one digit behind them.
const PORTS: [&str; 2] = ["com", "lpt"];

/// Whether a file or folder name is a device on Windows.
pub fn is_device_name(name: &str) -> bool {
    let name = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let is_port = |port: &str| {
        let number = name.strip_prefix(port);
        number.is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit())
    };
    DEVICES.contains(&name.as_str()) || PORTS.iter().any(|port| is_port(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_match_in_any_case_and_with_any_extension() {
        for device in ["con", "CON", "nul.wav", "Aux.tar.gz", "prn ", "com1", "LPT9.txt"] {
            assert!(is_device_name(device), "{device:?}");
        }
        for file in ["", "console", "com", "com10", "lpt", "icon", "vocals", "aux-2", "my.con"] {
            assert!(!is_device_name(file), "{file:?}");
        }
    }
}
