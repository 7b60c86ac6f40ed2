//! The bins of the bands.

use std::ops::Range;

use crate::audio::Hertz;

/// Bands with these numbers of bins, one after the other.
///
/// # Errors
/// That they are not all bins, in words.
pub(super) fn consecutive(sizes: &[usize], bins: usize) -> Result<Vec<Range<usize>>, String> {
    let mut start = 0;
    let mut bands = Vec::new();
    for &size in sizes {
        if size == 0 || size > bins - start {
            break;
        }
        bands.push(start..start + size);
        start += size;
    }
    if bands.len() == sizes.len() && start == bins {
        return Ok(bands);
    }
    let sum: u128 = sizes.iter().map(|&size| size as u128).sum();
    Err(format!(
        "freqs_per_bands sums to {sum}, or has a band without bins; the spectrum has {bins} bins"
    ))
}

/// The bins in which the triangles of a mel scale (Slaney's, as in librosa) are above zero; the first band also has the
/// lowest bin, the last one the highest.
///
/// # Errors
/// The first band without bins, or the first bin without bands or with more than two, in words.
pub(super) fn mel(count: usize, size: usize, rate: Hertz) -> Result<Vec<Range<usize>>, String> {
    let (bins, half) = (size / 2 + 1, f64::from(rate.0) / 2.0);
    let highest = mel_of(half);
    let edge = |index: usize| hertz_of(highest * index as f64 / (count + 1) as f64);
    let hertz = |bin: usize| half * bin as f64 / (bins - 1) as f64;
    let mut bands: Vec<Range<usize>> = Vec::new();
    for band in 0..count {
        let (low, high) = (edge(band), edge(band + 2));
        let within = |&bin: &usize| low < hertz(bin) && hertz(bin) < high;
        let first = if band == 0 { Some(0) } else { (0..bins).find(within) };
        let last = if band + 1 == count { Some(bins - 1) } else { (0..bins).rfind(within) };
        match first.zip(last) {
            Some((first, last)) => bands.push(first..last + 1),
            None => return Err(format!("num_bands is {count}: band {band} has no bins")),
        }
    }
    for bin in 0..bins {
        let bands = bands.iter().filter(|band| band.contains(&bin)).count();
        if !(1..=2).contains(&bands) {
            return Err(format!("num_bands is {count}: bin {bin} is in {bands} bands, not 1 or 2"));
        }
    }
    Ok(bands)
}

/// Where the scale changes from linear to logarithmic.
const KNEE: f64 = 1000.0;
/// Hertz of a mel below.
const LINEAR: f64 = 200.0 / 3.0;

/// The logarithm of the ratio of two frequencies a mel apart above.
fn step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel_of(hertz: f64) -> f64 {
    if hertz < KNEE { hertz / LINEAR } else { KNEE / LINEAR + (hertz / KNEE).ln() / step() }
}

fn hertz_of(mel: f64) -> f64 {
    let knee = KNEE / LINEAR;
    if mel < knee { LINEAR * mel } else { KNEE * (step() * (mel - knee)).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_bands_have_all_bins() {
        assert_eq!(consecutive(&[2, 3], 5), Ok(vec![0..2, 2..5]));
        for sizes in [&[2, 2][..], &[2, 4], &[0, 5], &[5, usize::MAX], &[]] {
            let error = consecutive(sizes, 5).unwrap_err();
            assert!(error.contains("the spectrum has 5 bins"), "{error}");
        }
    }

    // The numbers of bins are those of `pymss-core` 0.1.14 for Kim's configuration.
    #[test]
    fn mel_bands_overlap_by_halves() {
        let bands = mel(60, 2048, Hertz(44_100)).unwrap();
        assert_eq!(bands.len(), 60);
        assert_eq!((bands[0].start, bands[59].end), (0, 1025));
        let sizes: Vec<usize> = bands.iter().map(ExactSizeIterator::len).collect();
        assert_eq!(
            (&sizes[..3], &sizes[16..20], &sizes[57..]),
            (&[7, 6, 6][..], &[7, 7, 9, 9][..], &[113, 122, 130][..])
        );
        assert_eq!(sizes.iter().sum::<usize>(), 1979);
        assert!(bands.windows(2).all(|pair| pair[0].start <= pair[1].start));
    }

    #[test]
    fn bands_that_the_graph_cannot_have_are_refused() {
        let error = mel(128, 256, Hertz(44_100)).unwrap_err();
        assert!(error.contains("num_bands is 128: band"), "{error}");
        assert!(mel(1, 256, Hertz(44_100)).is_ok());
    }
}
