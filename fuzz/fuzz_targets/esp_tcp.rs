//! A TCP stream of ESP and IKE, cut into any pieces: beside a decoder that has the whole stream at once.
#![no_main]

use adit_esp::encap::tcp::{Decoder, MAX_MESSAGE_LEN, STREAM_PREFIX, StreamError, StreamProblem};
use adit_esp::encap::{Payload, PayloadMut};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    responder: bool,
    max_message: u16,
    /// Well-formed messages in front, so that the stream does not end at once.
    messages: Vec<Vec<u8>>,
    rest: Vec<u8>,
    pieces: Vec<u8>,
}

type Messages = (Vec<Vec<u8>>, Option<StreamError>);

/// What the stream is, read from a slice.
fn expected(stream: &[u8], input: &Input) -> Messages {
    let max = usize::from(input.max_message).clamp(1, MAX_MESSAGE_LEN);
    let error = |offset: usize, problem| Some(StreamError { offset: offset as u64, problem });
    let mut messages = Vec::new();
    let mut at = 0;
    if input.responder {
        if let Some(wrong) = stream.iter().zip(&STREAM_PREFIX).position(|(a, b)| a != b) {
            return (messages, error(wrong, StreamProblem::Prefix));
        }
        at = STREAM_PREFIX.len();
    }
    while let Some(&[high, low]) = stream.get(at..at + 2) {
        let length = u16::from_be_bytes([high, low]);
        if length < 2 {
            return (messages, error(at, StreamProblem::Length(length)));
        }
        if usize::from(length) - 2 > max {
            return (messages, error(at, StreamProblem::TooLong(length)));
        }
        match stream.get(at + 2..at + usize::from(length)) {
            Some([]) => {}
            Some(message) => messages.push(message.to_vec()),
            None => break,
        }
        at += usize::from(length);
    }
    (messages, None)
}

fuzz_target!(|input: Input| {
    let mut stream = if input.responder { STREAM_PREFIX.to_vec() } else { Vec::new() };
    for message in &input.messages {
        let message = &message[..message.len().min(MAX_MESSAGE_LEN)];
        stream.extend((message.len() as u16 + 2).to_be_bytes());
        stream.extend(message);
    }
    stream.extend(&input.rest);
    if input.messages.is_empty() {
        stream = input.rest.clone();
    }
    let (messages, error) = expected(&stream, &input);

    let max_message = input.max_message.into();
    let mut decoder = if input.responder {
        Decoder::responder(max_message)
    } else {
        Decoder::originator(max_message)
    };
    let mut left = &stream[..];
    let mut pieces = input.pieces.iter().cycle();
    let mut expected = messages.iter();
    loop {
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => {
                    let original = expected.next().expect("no more messages than there are");
                    match (message, Payload::classify(original)) {
                        (PayloadMut::Ike(a), Payload::Ike(b)) => assert_eq!(a, b),
                        (PayloadMut::Esp(a), Payload::Esp(b)) => assert_eq!(a, b),
                        (PayloadMut::Keepalive, Payload::Keepalive) => {}
                        (PayloadMut::Invalid, Payload::Invalid) => {}
                        (a, b) => panic!("{a:?} instead of {b:?}"),
                    }
                }
                Ok(None) => break,
                Err(found) => {
                    assert_eq!((expected.next(), Some(found)), (None, error));
                    assert_eq!(decoder.next_message(), Err(found), "for good");
                    return;
                }
            }
        }
        if left.is_empty() {
            break;
        }
        let spare = decoder.spare_mut();
        assert!(!spare.is_empty());
        let piece = pieces.next().map_or(usize::MAX, |piece| usize::from(*piece) * 16 + 1);
        let count = left.len().min(spare.len()).min(piece);
        spare[..count].copy_from_slice(&left[..count]);
        decoder.filled(count);
        left = &left[count..];
    }
    assert_eq!((expected.next(), error), (None, None), "all was read");
});
