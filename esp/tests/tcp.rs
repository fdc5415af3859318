//! Streams of RFC 9329: what was framed comes out again however the stream is cut into pieces.

use adit_esp::SealError;
use adit_esp::encap::tcp::{
    Decoder, MAX_MESSAGE_LEN, STREAM_PREFIX, StreamError, StreamProblem, frame_esp, frame_ike,
};
use adit_esp::encap::{Payload, PayloadMut};
use adit_testkit::mutate::{self, Field};
use proptest::prelude::*;

/// What a message was, with its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Message {
    Keepalive,
    Ike(Vec<u8>),
    Esp(Vec<u8>),
    Invalid,
}

impl Message {
    fn of(payload: Payload<'_>) -> Self {
        match payload {
            Payload::Keepalive => Self::Keepalive,
            Payload::Ike(message) => Self::Ike(message.to_vec()),
            Payload::Esp(packet) => Self::Esp(packet.to_vec()),
            Payload::Invalid => Self::Invalid,
        }
    }
}

/// Feeds `stream` in pieces of these lengths, over and over.
fn decode(
    decoder: &mut Decoder,
    mut stream: &[u8],
    pieces: &[usize],
) -> Result<Vec<Message>, StreamError> {
    let mut messages = Vec::new();
    let mut pieces = pieces.iter().cycle();
    while !stream.is_empty() {
        let spare = decoder.spare_mut();
        let count = stream.len().min(spare.len()).min(*pieces.next().unwrap());
        assert!(count > 0, "there is always room");
        spare[..count].copy_from_slice(&stream[..count]);
        decoder.filled(count);
        stream = &stream[count..];
        while let Some(message) = decoder.next_message()? {
            messages.push(match message {
                PayloadMut::Keepalive => Message::Keepalive,
                PayloadMut::Ike(message) => Message::Ike(message.to_vec()),
                PayloadMut::Esp(packet) => Message::Esp(packet.to_vec()),
                PayloadMut::Invalid => Message::Invalid,
            });
        }
    }
    Ok(messages)
}

/// The message with its length in front, made without the code under test.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len() + 2).unwrap();
    [&length.to_be_bytes()[..], message].concat()
}

//= RFC 9329 section 3
#[test]
fn messages_are_framed_as_the_rfc_says() {
    let mut buf = *b"......message";
    assert_eq!(frame_ike(&mut buf, 6..13), Ok(0..13));
    assert_eq!(&buf, b"\x00\x0d\x00\x00\x00\x00message");
    let mut buf = *b"......packet!";
    assert_eq!(frame_esp(&mut buf, 6..13), Ok(4..13));
    assert_eq!(&buf, b"....\x00\x09packet!");

    let error = frame_esp(&mut [0; 9], 1..9);
    assert_eq!(error, Err(SealError::Headroom { needed: 2, available: 1 }));
    let error = frame_ike(&mut [0; 9], 5..9);
    assert_eq!(error, Err(SealError::Headroom { needed: 6, available: 5 }));
    let error = frame_esp(&mut [0; 9], 6..10);
    assert_eq!(error, Err(SealError::OutOfBounds { end: 10, buffer: 9 }));
    #[expect(clippy::reversed_empty_ranges, reason = "it must be refused")]
    let error = frame_esp(&mut [0; 9], 6..3);
    assert_eq!(error, Err(SealError::OutOfBounds { end: 3, buffer: 9 }));

    let mut longest = vec![1; 2 + MAX_MESSAGE_LEN + 1];
    assert_eq!(frame_esp(&mut longest, 2..2 + MAX_MESSAGE_LEN), Ok(0..65_535));
    assert_eq!(longest[..2], [0xff, 0xff]);
    let error = frame_esp(&mut longest, 2..2 + MAX_MESSAGE_LEN + 1);
    assert_eq!(error, Err(SealError::TooLong { packet: 65_536 }));
}

//= RFC 9329 sections 3 and 6.6
#[test]
fn empty_messages_are_ignored_and_keepalives_are_told() {
    let stream =
        [&STREAM_PREFIX[..], &[0, 2, 0, 3, 0xff, 0, 2, 0, 2], &framed(&[0, 0, 0, 0, 5])].concat();
    for piece in 1..=stream.len() {
        let mut decoder = Decoder::responder(MAX_MESSAGE_LEN);
        let messages = decode(&mut decoder, &stream, &[piece]).unwrap();
        assert_eq!(messages, [Message::Keepalive, Message::Ike(vec![5])], "in pieces of {piece}");
    }
}

//= RFC 9329 section 6.1
#[test]
fn nothing_comes_before_the_prefix() {
    for wrong in 0..STREAM_PREFIX.len() {
        let mut stream = [&STREAM_PREFIX[..], &framed(b"abcd")].concat();
        stream[wrong] ^= 0x20;
        for piece in [1, 3, 100] {
            let error = decode(&mut Decoder::responder(100), &stream, &[piece]);
            let expected = StreamError { offset: wrong as u64, problem: StreamProblem::Prefix };
            assert_eq!(error, Err(expected));
        }
    }
    let mut waiting = Decoder::responder(100);
    assert_eq!(decode(&mut waiting, &STREAM_PREFIX[..5], &[9]), Ok(vec![]));
    assert_eq!(
        decode(&mut waiting, &[&b"P"[..], &framed(b"esp!")].concat(), &[9]).unwrap().len(),
        1
    );
    // The other direction has none: there it is a length of 0x494b.
    let error = decode(&mut Decoder::originator(100), &STREAM_PREFIX, &[9]).unwrap_err();
    assert_eq!(error, StreamError { offset: 0, problem: StreamProblem::TooLong(0x494b) });
}

//= RFC 9329 section 3.1
#[test]
fn a_length_that_cannot_be_ends_the_stream_for_good() {
    for (length, problem) in [
        (0, StreamProblem::Length(0)),
        (1, StreamProblem::Length(1)),
        (103, StreamProblem::TooLong(103)),
        (u16::MAX, StreamProblem::TooLong(u16::MAX)),
    ] {
        let mut decoder = Decoder::originator(100);
        let good = framed(&[9; 100]);
        assert_eq!(decode(&mut decoder, &good, &[7]).unwrap(), [Message::Esp(vec![9; 100])]);
        let error = StreamError { offset: 102, problem };
        assert_eq!(decode(&mut decoder, &length.to_be_bytes(), &[1]), Err(error));
        assert_eq!(decode(&mut decoder, &good, &[50]), Err(error), "and does not begin again");
    }
}

#[test]
fn lengths_from_one_to_the_longest_pass() {
    let mut decoder = Decoder::originator(MAX_MESSAGE_LEN);
    for len in (1..=600).chain((601..MAX_MESSAGE_LEN).step_by(41)).chain([MAX_MESSAGE_LEN]) {
        let message = vec![0x5a; len];
        let mut stream = vec![0, 0];
        stream.extend(&message);
        assert_eq!(frame_esp(&mut stream, 2..2 + len), Ok(0..len + 2));
        assert_eq!(stream, framed(&message));
        let expected = vec![Message::of(Payload::classify(&message))];
        assert_eq!(decode(&mut decoder, &stream, &[len, 70_000]).unwrap(), expected, "{len}");
        // The longest that is accepted is accepted, and one more byte is not.
        if len % 97 == 0 {
            assert_eq!(decode(&mut Decoder::originator(len), &stream, &[9000]), Ok(expected));
            let error = decode(&mut Decoder::originator(len - 1), &stream, &[9000]).unwrap_err();
            let problem = StreamProblem::TooLong(len as u16 + 2);
            assert_eq!(error, StreamError { offset: 0, problem });
        }
    }
}

#[test]
fn whatever_comes_is_survived() {
    let stream = [&STREAM_PREFIX[..], &framed(b"esp packet"), &framed(&[0; 12]), &framed(&[0xff])];
    let fields = [Field::u16(6), Field::u16(18), Field::u16(32)];
    mutate::all(&stream.concat(), &fields, 11, |input| {
        for max in [1, 20, MAX_MESSAGE_LEN] {
            let _ = decode(&mut Decoder::responder(max), input, &[5, 1, 900]);
            let _ = decode(&mut Decoder::originator(max), input, &[900]);
        }
    });
}

proptest! {
    #[test]
    fn any_stream_in_any_pieces(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3000), 0..20),
        pieces in prop::collection::vec(1_usize..5000, 1..20),
    ) {
        let stream = messages.iter().fold(STREAM_PREFIX.to_vec(), |mut stream, message| {
            stream.extend(framed(message));
            stream
        });
        let mut decoder = Decoder::responder(3000);
        let decoded = decode(&mut decoder, &stream, &pieces).unwrap();
        let expected: Vec<_> =
            messages.iter().map(|message| Message::of(Payload::classify(message))).collect();
        prop_assert_eq!(decoded, expected);
    }
}
