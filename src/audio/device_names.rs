//! Names that no file can have everywhere.

/// What Windows takes for a device in any folder, whatever ends it and in any case: `aux.wav` is no file there.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Those that have a digit after them.
const PORTS: [&str; 2] = ["com", "lpt"];

/// Whether a file or folder of this name would be a device on Windows.
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
    fn devices_are_known_in_any_case_and_with_any_ending() {
        for device in ["con", "CON", "nul.wav", "Aux.tar.gz", "prn ", "com1", "LPT9.txt"] {
            assert!(is_device_name(device), "{device:?}");
        }
        for file in ["", "console", "com", "com10", "lpt", "icon", "vocals", "aux-2", "my.con"] {
            assert!(!is_device_name(file), "{file:?}");
        }
    }
}
