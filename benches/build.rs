//! Compiles the calls into Intel's library, which are macros of its header, if the feature asks for them.

fn main() {
    println!("cargo::rerun-if-changed=src/ipsec_mb.c");
    #[cfg(feature = "ipsec-mb")]
    {
        cc::Build::new().file("src/ipsec_mb.c").opt_level(3).compile("adit_ipsec_mb");
        println!("cargo::rustc-link-lib=IPSec_MB");
    }
}
