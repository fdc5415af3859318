//! On a host, the C library without its start-up code, which wants a `main`.

fn main() {
    let os = std::env::var("CARGO_CFG_TARGET_OS").expect("cargo sets it");
    if os == "linux" {
        println!("cargo:rustc-link-arg-bin=adit-no-std=-nostartfiles");
        // memcpy and its kin: on bare metal they come from compiler-builtins.
        println!("cargo:rustc-link-arg=-lc");
    }
}
