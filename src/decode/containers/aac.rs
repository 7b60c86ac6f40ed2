//! The AudioSpecificConfig of AAC (ISO/IEC 14496-3, 1.6.2.1), and which of them are supported.

use symphonia::core::io::{BitReaderLtr, ReadBitsLtr};

/// Audio object types.
const LOW_COMPLEXITY: u32 = 2;
const SPECTRAL_BAND_REPLICATION: u32 = 5;
const PARAMETRIC_STEREO: u32 = 29;

/// Sample rates in Hz by index.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// A parsed AudioSpecificConfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AacConfig {
    /// The configuration as stored, for the codec.
    pub(crate) bytes: Vec<u8>,
    /// Sample rate of the core in Hz.
    pub(crate) rate: u32,
    pub(crate) channels: u32,
    /// Object type indication of the descriptor: MPEG-4 or MPEG-2 AAC, or another codec.
    pub(crate) kind: u32,
    object_type: u32,
    /// High-efficiency AAC, signalled explicitly.
    is_high_efficiency: bool,
    has_short_frames: bool,
}

impl AacConfig {
    /// Finds and reads the configuration in an `esds` box (ISO/IEC 14496-1, 7.2.6).
    pub(crate) fn find(esds: &[u8]) -> Option<AacConfig> {
        let mut rest = esds.get(4..)?;
        let mut kind = None;
        loop {
            let (&tag, mut behind) = rest.split_first()?;
            let mut length = 0_usize;
            loop {
                let (&byte, next) = behind.split_first()?;
                (length, behind) = ((length & 0xff_ffff) << 7 | usize::from(byte & 0x7f), next);
                if byte >> 7 == 0 {
                    break;
                }
            }
            rest = match tag {
                // ES descriptor: identifier, flags, and the fields that the flags announce.
                3 => {
                    let flags = *behind.get(2)?;
                    let depends = if flags & 0x80 != 0 { 2 } else { 0 };
                    let url = if flags & 0x40 != 0 {
                        1 + usize::from(*behind.get(3 + depends)?)
                    } else {
                        0
                    };
                    let clock = if flags & 0x20 != 0 { 2 } else { 0 };
                    behind.get(3 + depends + url + clock..)?
                }
                4 => {
                    kind = Some(u32::from(*behind.first()?));
                    behind.get(13..)?
                }
                5 => return AacConfig::parse(behind.get(..length)?, kind?),
                _ => behind.get(length..)?,
            };
            // Other codecs, such as MP3, have no configuration.
            if let Some(kind) = kind.filter(|&kind| !is_aac(kind)) {
                return Some(AacConfig { kind, ..AacConfig::parse(&[0x12, 0x10], kind)? });
            }
        }
    }

    /// Parses a configuration of MPEG-4 AAC.
    pub(crate) fn of_mpeg4(bytes: &[u8]) -> Option<AacConfig> {
        AacConfig::parse(bytes, 0x40)
    }

    fn parse(bytes: &[u8], kind: u32) -> Option<AacConfig> {
        let mut bits = BitReaderLtr::new(bytes);
        let mut take = |count: u32| bits.read_bits_leq32(count).ok();
        let mut object_type = take_object_type(&mut take)?;
        let rate = take_rate(&mut take)?;
        let channels = take(4)?;
        let mut is_high_efficiency = false;
        if matches!(object_type, SPECTRAL_BAND_REPLICATION | PARAMETRIC_STEREO) {
            is_high_efficiency = true;
            take_rate(&mut take)?;
            object_type = take_object_type(&mut take)?;
        }
        let has_short_frames = take(1)? == 1;
        if object_type == LOW_COMPLEXITY {
            if take(1)? == 1 {
                take(14)?;
            }
            take(1)?;
            // A backward-compatible extension behind the configuration.
            if take(11) == Some(0x2b7)
                && take_object_type(&mut take) == Some(SPECTRAL_BAND_REPLICATION)
            {
                is_high_efficiency |= take(1) == Some(1);
            }
        }
        let bytes = bytes.to_vec();
        let channels = if channels == 7 { 8 } else { channels };
        Some(AacConfig {
            bytes,
            rate,
            channels,
            kind,
            object_type,
            is_high_efficiency,
            has_short_frames,
        })
    }

    /// The name of the codec if it is not supported; `stated` are the sample rates in Hz that the
    /// container states.
    ///
    /// High-efficiency AAC may be signalled implicitly. It would then decode without an error to half
    /// the rate that the container states.
    pub(crate) fn unsupported(&self, stated: [u32; 2]) -> Option<String> {
        let is_half = self.rate <= 24_000 && stated.contains(&(self.rate * 2));
        let name = match self.object_type {
            _ if !is_aac(self.kind) => match self.kind {
                0x69 | 0x6b => "MP3".to_owned(),
                0xa5 => "AC-3".to_owned(),
                0xdd => "Vorbis".to_owned(),
                kind => format!("the codec {kind:#04x}"),
            },
            _ if self.is_high_efficiency || is_half => "high-efficiency AAC (HE-AAC)".to_owned(),
            1 => "AAC Main".to_owned(),
            LOW_COMPLEXITY if self.has_short_frames => "AAC with frames of 960".to_owned(),
            LOW_COMPLEXITY if self.channels == 0 => "AAC with its own channel layout".to_owned(),
            LOW_COMPLEXITY if self.channels > 2 => format!("AAC with {} channels", self.channels),
            LOW_COMPLEXITY => return None,
            3 => "AAC-SSR".to_owned(),
            4 => "AAC-LTP".to_owned(),
            23 => "AAC-LD".to_owned(),
            39 => "AAC-ELD".to_owned(),
            42 => "xHE-AAC".to_owned(),
            36 => "MPEG-4 ALS".to_owned(),
            object_type => format!("MPEG-4 audio of object type {object_type}"),
        };
        Some(name)
    }
}

/// Whether an object type indication means AAC: MPEG-4, or a profile of MPEG-2.
fn is_aac(kind: u32) -> bool {
    matches!(kind, 0x40 | 0x66..=0x68)
}

fn take_object_type(take: &mut impl FnMut(u32) -> Option<u32>) -> Option<u32> {
    match take(5)? {
        31 => Some(32 + take(6)?),
        object_type => Some(object_type),
    }
}

fn take_rate(take: &mut impl FnMut(u32) -> Option<u32>) -> Option<u32> {
    match take(4)? {
        15 => take(24),
        index => RATES.get(index as usize).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: &[u8], stated: u32, expected: Option<&str>) {
        let config = AacConfig::parse(config, 0x40).unwrap();
        assert_eq!(config.unsupported([stated, stated]).as_deref(), expected);
    }

    #[test]
    fn only_low_complexity_is_supported() {
        // LC, 44.1 kHz, stereo.
        check(&[0x12, 0x10], 44_100, None);
        // LC, 22.05 kHz, stereo, in a container of the same and of twice the rate.
        check(&[0x13, 0x90], 22_050, None);
        check(&[0x13, 0x90], 44_100, Some("high-efficiency AAC (HE-AAC)"));
        // SBR over LC at 22.05 kHz, signalled explicitly and by a backward-compatible extension.
        check(&[0x2b, 0x92, 0x08, 0x00], 44_100, Some("high-efficiency AAC (HE-AAC)"));
        check(&[0x13, 0x90, 0x56, 0xe5, 0xa0], 22_050, Some("high-efficiency AAC (HE-AAC)"));
        // LC with 6 channels; Main; ELD.
        check(&[0x12, 0x30], 44_100, Some("AAC with 6 channels"));
        check(&[0x0a, 0x10], 44_100, Some("AAC Main"));
        check(&[0xf8, 0xe8, 0x50, 0x00], 44_100, Some("AAC-ELD"));
    }
}
