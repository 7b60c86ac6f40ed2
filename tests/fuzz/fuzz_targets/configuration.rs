#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stemwire::fuzzing::run("configuration", bytes));
