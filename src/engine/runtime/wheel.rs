//! The wheels of ONNX Runtime on the Python Package Index, pinned by hash.
//!
//! A wheel is a zip file; the library in it needs no Python. The wheel for CPython 3.12 is used whatever Python runs pip:
//! the library is the same in all of them, and one file can be pinned.

use crate::engine::Provider;

/// A published wheel.
#[derive(Debug, Clone, Copy)]
pub struct Wheel {
    /// The provider of this build.
    pub provider: Provider,
    /// Name of the package.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Operating system, such as `linux`, as in [`std::env::consts::OS`].
    pub os: &'static str,
    /// Architecture, such as `x86_64`, as in [`std::env::consts::ARCH`].
    pub arch: &'static str,
    /// The platform tag of its file name.
    pub platform: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: &'static str,
}

const CPU: (&str, &str) = ("onnxruntime", "1.31.1");
const OPENVINO: (&str, &str) = ("onnxruntime-openvino", "1.24.1");
const CUDA: (&str, &str) = ("onnxruntime-gpu", "1.31.1");

const LINUX_X64: (&str, &str, &str) = ("linux", "x86_64", "manylinux_2_28_x86_64");
const LINUX_ARM: (&str, &str, &str) = ("linux", "aarch64", "manylinux_2_28_aarch64");
const MAC_ARM: (&str, &str, &str) = ("macos", "aarch64", "macosx_14_0_arm64");
const WINDOWS_X64: (&str, &str, &str) = ("windows", "x86_64", "win_amd64");
const WINDOWS_ARM: (&str, &str, &str) = ("windows", "aarch64", "win_arm64");

/// All known wheels. OpenVINO for Windows is missing, because its libraries are in another wheel.
#[rustfmt::skip]
const WHEELS: [Wheel; 8] = [
    wheel(Provider::Cpu, CPU, LINUX_X64, 23_760_988, "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536"),
    wheel(Provider::Cpu, CPU, LINUX_ARM, 21_420_803, "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc"),
    wheel(Provider::Cpu, CPU, MAC_ARM, 20_882_125, "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c"),
    wheel(Provider::Cpu, CPU, WINDOWS_X64, 14_888_466, "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130"),
    wheel(Provider::Cpu, CPU, WINDOWS_ARM, 14_740_724, "fe8b9ac1ae8e894e12c47ee82e4f6dfc1835768133687257866469fda80d0bf1"),
    wheel(Provider::Openvino, OPENVINO, LINUX_X64, 84_433_207, "d617fac2f59a6ab5ea59a788c3e1592240a129642519aaeaa774761dfe35150e"),
    wheel(Provider::Cuda, CUDA, LINUX_X64, 255_569_273, "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7"),
    wheel(Provider::Cuda, CUDA, WINDOWS_X64, 168_098_228, "2bb1e9373baba88f6415257f5b6a589d23e23c16004f7d89adf4344eada5749e"),
];

const fn wheel(
    provider: Provider,
    (package, version): (&'static str, &'static str),
    (os, arch, platform): (&'static str, &'static str, &'static str),
    bytes: u64,
    sha256: &'static str,
) -> Wheel {
    Wheel { provider, package, version, os, arch, platform, bytes, sha256 }
}

impl Wheel {
    /// The wheels for this machine.
    pub fn for_this_machine() -> impl Iterator<Item = &'static Wheel> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        WHEELS.iter().filter(move |wheel| wheel.os == os && wheel.arch == arch)
    }

    /// The published file name.
    pub fn file_name(&self) -> String {
        let package = self.package.replace('-', "_");
        format!("{package}-{}-cp312-cp312-{}.whl", self.version, self.platform)
    }

    /// The name of the folder for the installation.
    pub fn folder_name(&self) -> String {
        format!("{}-{}", self.provider, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sha256Hash;

    #[test]
    fn every_pin_is_a_hash_and_every_wheel_is_listed_once() {
        for (index, wheel) in WHEELS.iter().enumerate() {
            assert!(wheel.sha256.parse::<Sha256Hash>().is_ok(), "{}", wheel.file_name());
            assert!(WHEELS[..index].iter().all(|other| other.file_name() != wheel.file_name()));
        }
        let name = "onnxruntime_openvino-1.24.1-cp312-cp312-manylinux_2_28_x86_64.whl";
        assert!(WHEELS.iter().any(|wheel| wheel.file_name() == name));
    }
}
