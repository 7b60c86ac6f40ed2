//! Panics of codecs are silent: the panic is caught, the packet becomes silence, and nothing is printed. The pipe
//! that a decoding process prints to is read after its end: if every packet of a broken upload printed something, the
//! pipe would fill up and decoding would block.
//!
//! Panic hooks belong to the whole process, so this test runs in a process of its own.

use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::decode;
use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mutate::mend_ogg;
use crate::support::process::in_own_process;

/// Counts panics and passes them on.
fn count_panics(next_hook: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) -> Arc<AtomicU64> {
    let counted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&counted);
    panic::set_hook(Box::new(move |info| {
        counter.fetch_add(1, Ordering::SeqCst);
        next_hook(info);
    }));
    counted
}

#[test]
fn a_codec_that_panics_prints_nothing() {
    in_own_process(module_path!(), "a_codec_that_panics_prints_nothing", count_what_is_printed);
}

fn count_what_is_printed() {
    let workshop = Workshop::new();
    let bytes = workshop.make(&signal(22_050, 1, 0.4), "-c:a libvorbis -q:a 9", "a.ogg");
    // What would be printed comes here.
    let printed = count_panics(|_| {});
    let whole = decode(&bytes).unwrap();
    // What codecs do comes here first.
    let panicked = count_panics(panic::take_hook());
    // Symphonia 0.6.1 divides by zero if a floor names one place twice, which it must not. Where
    // the places lie in the set-up header depends on the version of the encoder.
    let pages: Vec<usize> =
        (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"OggS")).collect();
    let broken = (pages[2] - 400..pages[2] - 4).find_map(|at| {
        let mut broken = bytes.clone();
        broken[at..at + 4].copy_from_slice(&[0, 0, 0xff, 0xff]);
        mend_ogg(&mut broken);
        let decoded = decode(&broken);
        (panicked.load(Ordering::SeqCst) > 0).then_some(decoded)
    });
    let panics = panicked.load(Ordering::SeqCst);
    // Every packet may panic, and then there is an error.
    match broken.expect("one of these headers makes the codec panic") {
        Ok(decoded) => {
            assert_eq!(decoded.only().len(), whole.only().len());
            assert_eq!(decoded.report.damaged_packets, panics);
        }
        Err(error) => {
            assert!(error.to_string().contains("no audio that can be decoded"), "{error}")
        }
    }
    assert_eq!(printed.load(Ordering::SeqCst), 0);
    // All other panics are printed as before.
    assert!(panic::catch_unwind(|| panic!("ours")).is_err());
    assert_eq!(printed.load(Ordering::SeqCst), 1);
}
