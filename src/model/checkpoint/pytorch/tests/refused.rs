//! Files that are refused: hostile and damaged ones, and those that hold no tensors.

use zip::CompressionMethod;

use super::{tensor_pickle, tensors, with_pickle, zipped};
use crate::model::checkpoint::pytorch::machine::MAX_OPCODES;

#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    let reason = tensors(bytes).unwrap_err();
    assert!(reason.contains(expected), "{reason:?} lacks {expected:?}");
    assert!(reason.len() < 1000, "{expected}: {} bytes", reason.len());
}

#[test]
fn files_of_whole_objects_and_of_old_versions_are_refused_by_name() {
    check_refused(golden!("module.pt"), "the global torch.nn.modules.linear.Linear");
    check_refused(golden!("legacy.pt"), "PyTorch before 1.6");
}

#[test]
fn tensors_outside_of_their_storage_are_refused() {
    let check = |pickle: Vec<u8>, expected: &str| check_refused(&with_pickle(&pickle), expected);
    let good = tensors(&with_pickle(&tensor_pickle(8, 2, &[2, 3], &[3, 1]))).unwrap();
    assert_eq!(good["w"].0, [2, 3]);
    check(tensor_pickle(8, 3, &[2, 3], &[3, 1]), "shape [2, 3], strides [3, 1] at 3");
    check(tensor_pickle(8, 0, &[2, 3], &[200, 1]), "outside of its storage of 8 elements");
    check(tensor_pickle(8, 0, &[3, 3], &[0, 0]), "outside of its storage of 8 elements");
    check(tensor_pickle(8, 9, &[0], &[1]), "outside of its storage");
    check(tensor_pickle(8, 0, &[255; 8], &[255; 8]), "outside of its storage");
    check(tensor_pickle(8, 0, &[1; 9], &[1; 9]), "more than 8 dimensions");
    check(tensor_pickle(8, 0, &[2, 2], &[1]), "other strides");
    check(tensor_pickle(9, 0, &[8], &[1]), "data/0 has 32 bytes, the pickle requires 36");
}

#[test]
fn a_pickle_of_anything_but_tensors_and_containers_is_refused_by_name() {
    let check = |pickle: &[u8], expected: &str| {
        check_refused(&with_pickle(pickle), expected);
        // Also as a value that is not used.
        let wrapped = [&b"\x80\x02}X\x01\0\0\0x"[..], pickle, b"s."].concat();
        check_refused(&with_pickle(&wrapped), expected);
    };
    // What pickle.dumps writes for an object whose __reduce__ returns (os.system, ("id",)), and the like.
    check(b"cposix\nsystem\nX\x02\0\0\0id\x85R.", "global posix.system");
    check(b"cos\nsystem\n(X\x02\0\0\0idtR.", "global os.system");
    check(b"c__builtin__\neval\nX\x01\0\0\x001\x85R.", "global __builtin__.eval");
    check(b"cbuiltins\ngetattr\n.", "global builtins.getattr");
    check(b"ctorch\nload\n.", "global torch.load");
    check(b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "__globals__");
    check(b"(S'id'\nios\nsystem\n.", "opcode 0x53");
    check(b"(ios\nsystem\n.", "INST");
    check(b"(cos\nsystem\no.", "os.system");
    check(b"(ccollections\nOrderedDict\no.", "OBJ");
    check(b"X\x02\0\0\0osX\x06\0\0\0system\x93.", "STACK_GLOBAL");
    check(b"ccollections\nOrderedDict\n)\x81.", "NEWOBJ");
    check(b"\x82\x01.", "EXT");
    check(b"Pid\n.", "PERSID");
    check(b"X\x01\0\0\x001Q.", "persistent id does not name a storage");
    check(b"ccollections\nOrderedDict\nK\x01\x85R.", "it calls OrderedDict");
    check(b"ctorch\nFloatStorage\n)R.", "it calls StorageOf(F32)");
    check(b"cdemucs.htdemucs\nHTDemucs\n)R.", "it holds an object of demucs.htdemucs.HTDemucs");
    check(b"}}X\x05\0\0\0__a__K\x01sb.", "it sets attributes of a dict (BUILD)");
    check(b"ccollections\nOrderedDict\n)R}X\x09\0\0\0__class__K\x01sb.", "sets attributes");
    check(b"\x80\x04.", "pickle protocol 4");
    check(b"K\x01)R.", "it calls an int");
    check(b"ctorch._utils\n_rebuild_tensor_v2\n)R.", "it calls RebuildTensor");
    check(b"h\x07.", "was not stored");
    check(b"c\xff\n\n.", "not UTF-8");
    check(&[&b"c"[..], &[b'x'; 300], b"\nx\n."].concat(), "too long");
    check(b"X\xff\xff\xff\xff.", "it ends too early");
    check(b"\x8a\xff.", "it ends too early");
    check(b"\x8a\x09\0\0\0\0\0\0\0\0\x01.", "an integer of 9 bytes");
}

#[test]
fn what_is_not_a_state_dict_is_refused_with_what_it_is() {
    let check = |pickle: &[u8], expected: &str| check_refused(&with_pickle(pickle), expected);
    check(b"", "it ends too early");
    check(b"R.", "the stack is empty");
    check(b"t.", "the stack has no mark");
    check(b"K\x01.", "it holds an int, not a dict");
    check(b"}.", "it holds no tensors; its entries are none");
    check(b"}X\x01\0\0\0aK\x01s.", "it holds no tensors; its entries are a");
    let mut other = tensor_pickle(8, 0, &[8], &[1]);
    other.truncate(other.len() - 2);
    let with = |more: &[u8]| [&other[..], more].concat();
    check(&with(b"X\x01\0\0\0oK\x01u."), "o is an int, not a tensor");
    check(&with(b"K\x01K\x01u."), "the name of a tensor is an int");
    check(&with(b"X\x01\0\0\0\x1bK\x01u."), "not printable");
    check(&with(b"0u."), "opcode 0x30");
    let twice = [&with(b"q\0X\x01\0\0\0w")[..], b"h\0u."].concat();
    check(&twice, "it holds tensor w twice");
}

#[test]
fn a_pickle_that_grows_without_bound_is_refused_or_read_in_bounded_memory() {
    let check = |pickle: &[u8], expected: &str| check_refused(&with_pickle(pickle), expected);
    // Nested a million times; a tree of 2^1000 lists, by a memo; a list in itself.
    check(&b"]".repeat(MAX_OPCODES + 1), "more than 1048576 opcodes");
    let deep = [b"]".repeat(500_000), b"a".repeat(499_999), b".".to_vec()].concat();
    check(&deep, "it holds a list");
    check(
        &[b"K\x01q\0".to_vec(), b"h\0h\0\x86q\0".repeat(1000), b".".to_vec()].concat(),
        "a tuple",
    );
    check(b"]q\0h\0a.", "it holds a list");
    check(b"}q\0X\x01\0\0\0ah\0s.", "it holds no tensors; its entries are a");
    check(&b"(".repeat(MAX_OPCODES + 1), "more than 1048576 opcodes");
    let kwargs = b"}(X\x05\0\0\0klasscdemucs.htdemucs\nHTDemucs\nX\x06\0\0\0kwargs";
    let cycle = [&kwargs[..], b"}q\0X\x01\0\0\0ah\0su."].concat();
    check(&cycle, "it holds no tensors");
    let long =
        [&b"ccollections\nOrderedDict\nX\0\0\x10\0"[..], &[b'a'; 1 << 20], b"\x85R."].concat();
    check(&long, "it calls OrderedDict");
}

#[test]
fn an_archive_that_is_not_of_torch_save_is_refused() {
    let pickle = &tensor_pickle(8, 0, &[8], &[1])[..];
    let stored = |files: &[(&str, &[u8])]| zipped(files, CompressionMethod::Stored);
    let whole: [(&str, &[u8]); 2] = [("a/data.pkl", pickle), ("a/data/0", &[0; 32])];
    check_refused(&stored(&whole[..1]), "the archive holds no data/0");
    check_refused(&stored(&[("a/b/data.pkl", pickle)]), "holds no data.pkl");
    check_refused(&stored(&[whole[0], ("b/data.pkl", pickle)]), "two files data.pkl");
    check_refused(&stored(&[whole[0], whole[1], ("a/byteorder", b"big")]), "byte order is \"big\"");
    check_refused(&zipped(&whole, CompressionMethod::Deflated), "is compressed");
    let zeros = vec![0; 50_000_000];
    let bomb = zipped(&[("a/data.pkl", &zeros)], CompressionMethod::Deflated);
    assert!(bomb.len() < 100_000);
    check_refused(&bomb, "is compressed");
    let good = stored(&whole);
    assert!(tensors(&good).is_ok());
    for length in [10, 100, good.len() - 1] {
        assert!(tensors(&good[..length]).is_err(), "cut at {length}");
    }
    let mut flipped = good.clone();
    let at = flipped.windows(32).position(|window| window == [0; 32]).unwrap();
    flipped[at] = 1;
    check_refused(&flipped, "data/0 is damaged");
    let many: Vec<String> = (0..20_000).map(|number| format!("a/{number:0>250}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (&**name, &[][..])).collect();
    check_refused(&stored(&many), "the directory is too long");
}

#[test]
fn many_views_of_one_storage_are_refused() {
    let one = tensor_pickle(8, 0, &[8], &[1]);
    let (body, end) = one[4..].split_at(one.len() - 4 - 2);
    let mut pickle = b"\x80\x02}(".to_vec();
    for name in 0..9 {
        let mut body = body.to_vec();
        body[5] = b'a' + name;
        pickle.extend(body);
    }
    pickle.extend(end);
    check_refused(&with_pickle(&pickle), "its tensors have 72 values, of which 8 are stored");
}
