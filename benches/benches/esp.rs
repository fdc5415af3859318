//! `cargo bench -p adit-benches --bench esp`: the packet path by itself, for profiling and comparing
//! revisions. The report is what compares it with the bare cryptography.

use std::hint::black_box;

use adit_benches::esp::{Sa, inner_packet, sa};
use adit_esp::NextHeader;
use adit_platform::aead::AeadAlgorithm;
use adit_platform::{Suite, ring};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn esp(criterion: &mut Criterion) {
    for (name, algorithm) in [
        ("aes-128-gcm", AeadAlgorithm::Aes128Gcm16),
        ("chacha20-poly1305", AeadAlgorithm::ChaCha20Poly1305),
    ] {
        let mut group = criterion.benchmark_group(format!("esp/{name}"));
        for len in [64, 1400] {
            let Sa { mut outbound, mut inbound } = sa(&ring::PROVIDER, Suite::Aead(algorithm));
            let payload = outbound.headroom()..outbound.headroom() + len;
            let mut buf = vec![0; payload.end + outbound.tailroom(len)];
            buf[payload.clone()].copy_from_slice(&inner_packet(len));
            group.throughput(Throughput::Bytes(len as u64));
            group.bench_function(BenchmarkId::new("seal", len), |bencher| {
                bencher.iter(|| {
                    let sealed = outbound.seal(&mut buf, payload.clone(), NextHeader::IPV4);
                    black_box(sealed.expect("room is left"))
                });
            });
            buf[payload.clone()].copy_from_slice(&inner_packet(len));
            group.bench_function(BenchmarkId::new("open", len), |bencher| {
                bencher.iter_batched_ref(
                    || {
                        let mut packet = buf.clone();
                        let sealed = outbound.seal(&mut packet, payload.clone(), NextHeader::IPV4);
                        sealed.expect("room is left");
                        packet
                    },
                    |packet| black_box(inbound.open(packet).expect("a fresh packet")),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

criterion_group!(benches, esp);
criterion_main!(benches);
