//! Path validation: RFC 5280 section 6.1, from the trust anchor down, without revocation.

use alloc::vec::Vec;

use crate::anchor::TrustAnchor;
use crate::error::{CertificateRef, Error, Reason};
use crate::format::algorithm;
use crate::format::certificate::Certificate;
use crate::format::extension::{self, KeyUsage};
use crate::format::oid;
use crate::path::constraints::NameConstraints;
use crate::path::policy::PolicyGraph;
use crate::path::purpose::Purpose;
use crate::path::search::{Link, Search};
use crate::verifier::PolicyInputs;

/// What the last certificate of the path is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Goal {
    /// To be the peer: the query's purpose, identity and policies hold.
    Peer,
    /// To sign CRLs (RFC 5280 section 6.3.3 (f)).
    CrlIssuer,
}

/// The state variables of section 6.1.2.
struct State<'a> {
    policies: PolicyGraph<'a>,
    constraints: Vec<NameConstraints<'a>>,
    explicit_policy: u32,
    inhibit_any: u32,
    policy_mapping: u32,
    max_path_length: u32,
}

/// Validates `path`, the last certificate first, under the anchor of this index. Gives the user-constrained
/// policy set.
pub(crate) fn validate<'a>(
    search: &Search<'a>,
    path: &[Link<'a>],
    anchor_index: usize,
    goal: Goal,
) -> Result<Vec<Vec<u8>>, Error> {
    let anchor_ref = CertificateRef::Anchor(anchor_index);
    let at_anchor = |reason| Error::new(anchor_ref, reason);
    let anchor = search
        .verifier
        .anchors
        .get(anchor_index)
        .ok_or_else(|| Error::general(Reason::NoTrustAnchor))?;
    let mut key = anchor.spki().ok_or_else(|| at_anchor(Reason::UnsupportedAlgorithm))?;
    let inputs = if goal == Goal::Peer { search.query.policies } else { PolicyInputs::default() };
    let purpose = if goal == Goal::Peer { search.query.purpose } else { Purpose::Any };
    if goal == Goal::Peer {
        check_anchor_purpose(anchor, purpose).map_err(at_anchor)?;
    }

    let count = u32::try_from(path.len()).unwrap_or(u32::MAX);
    let start = |now: bool| if now { 0 } else { count.saturating_add(1) };
    let mut state = State {
        policies: PolicyGraph::new(),
        constraints: Vec::new(),
        explicit_policy: start(inputs.require_explicit),
        inhibit_any: start(inputs.inhibit_any),
        policy_mapping: start(inputs.inhibit_mapping),
        max_path_length: count,
    };
    let now = now(search);
    if (anchor.enforce_constraints || anchor.enforce_validity)
        && let Some(certificate) = anchor.certificate()
    {
        if anchor.enforce_validity {
            check_validity(&certificate, now).map_err(at_anchor)?;
        }
        if anchor.enforce_constraints {
            apply_anchor(search, &mut state, &certificate, anchor_ref, purpose)
                .map_err(at_anchor)?;
        }
    }

    for (position, link) in path.iter().enumerate().rev() {
        let fault = |reason| Error::new(link.reference, reason);
        let certificate = &*link.certificate;
        let last = position == 0;
        check_validity(certificate, now).map_err(fault)?;
        search.check_signature(certificate, key).map_err(fault)?;
        basic_processing(search, &mut state, certificate, last).map_err(fault)?;
        purpose.check_extended(certificate.extensions.extended_key_usage).map_err(fault)?;
        check_critical(certificate).map_err(fault)?;
        if last {
            let initial = wrap_up(search, &mut state, certificate, goal, inputs).map_err(fault)?;
            return Ok(initial);
        }
        prepare_for_next(search, &mut state, certificate, link.reference).map_err(fault)?;
        key = algorithm::working_key(search.verifier, certificate.spki, key);
    }
    Err(Error::general(Reason::NoCertificate))
}

fn check_anchor_purpose(anchor: &TrustAnchor, purpose: Purpose) -> Result<(), Reason> {
    let allowed = match purpose {
        Purpose::IkeGateway | Purpose::TlsServer => anchor.for_gateways,
        Purpose::IkeClient | Purpose::TlsClient => anchor.for_clients,
        Purpose::IkeStrict | Purpose::Any => true,
    };
    if allowed { Ok(()) } else { Err(Reason::AnchorNotForPurpose) }
}

/// What is left to check of a certificate that is believed by itself, besides its name.
pub(crate) fn check_by_itself(
    search: &Search<'_>,
    certificate: &Certificate<'_>,
    anchor: Option<&TrustAnchor>,
) -> Result<(), Reason> {
    anchor.map_or(Ok(()), |anchor| check_anchor_purpose(anchor, search.query.purpose))?;
    check_validity(certificate, now(search))?;
    search.query.purpose.check_extended(certificate.extensions.extended_key_usage)?;
    check_critical(certificate)?;
    check_peer(search, certificate)
}

/// The query's time as certificates count it.
fn now(search: &Search<'_>) -> i64 {
    i64::try_from(search.query.time.as_secs()).unwrap_or(i64::MAX)
}

fn check_critical(certificate: &Certificate<'_>) -> Result<(), Reason> {
    match certificate.extensions.unknown_critical {
        Some(unknown) => Err(Reason::UnknownCriticalExtension(oid::dotted(unknown.bytes))),
        None => Ok(()),
    }
}

/// What the query demands of the peer's certificate besides its purpose and its name.
fn check_peer(search: &Search<'_>, certificate: &Certificate<'_>) -> Result<(), Reason> {
    let usage = certificate.extensions.key_usage().map_err(Reason::Malformed)?;
    algorithm::check_key(search.verifier.algorithms, certificate.spki)?;
    search.query.purpose.check_key_usage(usage)
}

/// Whether the peer's certificate bears the name that the query wants.
pub(crate) fn check_identity(
    search: &Search<'_>,
    certificate: &Certificate<'_>,
) -> Result<(), Reason> {
    match search.query.identity {
        Some(identity) => identity.check(certificate),
        None => Ok(()),
    }
}

fn check_validity(certificate: &Certificate<'_>, now: i64) -> Result<(), Reason> {
    if now < certificate.not_before {
        return Err(Reason::NotYetValid { not_before: certificate.not_before });
    }
    if now > certificate.not_after {
        return Err(Reason::Expired { not_after: certificate.not_after });
    }
    Ok(())
}

/// Section 6.1.3 (b) to (f).
fn basic_processing<'a>(
    search: &Search<'a>,
    state: &mut State<'a>,
    certificate: &Certificate<'a>,
    last: bool,
) -> Result<(), Reason> {
    let self_issued = certificate.is_self_issued();
    if last || !self_issued {
        for constraints in &state.constraints {
            constraints.check(certificate, search.meter)?;
        }
    }
    let any_allowed = state.inhibit_any > 0 || (!last && self_issued);
    state.policies.descend(
        certificate.extensions.certificate_policies,
        certificate.extensions.policies_critical,
        any_allowed,
        search.meter,
    )?;
    if state.explicit_policy == 0 && state.policies.is_null() {
        return Err(Reason::NoAcceptablePolicy);
    }
    Ok(())
}

/// Section 6.1.4: a certificate that has another below it.
fn prepare_for_next<'a>(
    search: &Search<'a>,
    state: &mut State<'a>,
    certificate: &Certificate<'a>,
    reference: CertificateRef,
) -> Result<(), Reason> {
    let extensions = &certificate.extensions;
    // (k) to (n) first: whoever is no CA has no say in the rest.
    let basic = extensions.basic_constraints().map_err(Reason::Malformed)?;
    let basic = basic.filter(|basic| basic.ca).ok_or(Reason::NotACa)?;
    check_signing_usage(certificate)?;
    let self_issued = certificate.is_self_issued();
    if !self_issued {
        state.max_path_length = state.max_path_length.checked_sub(1).ok_or(Reason::PathTooLong)?;
    }
    if let Some(limit) = basic.path_len {
        state.max_path_length = state.max_path_length.min(limit);
    }
    // (a) and (b)
    if let Some(mappings) = extensions.policy_mappings {
        state.policies.map(mappings, state.policy_mapping > 0, search.meter)?;
    }
    // (g)
    add_constraints(state, certificate, reference)?;
    // (h)
    if !self_issued {
        for counter in
            [&mut state.explicit_policy, &mut state.policy_mapping, &mut state.inhibit_any]
        {
            *counter = counter.saturating_sub(1);
        }
    }
    // (i) and (j)
    apply_policy_constraints(state, certificate)
}

fn check_signing_usage(certificate: &Certificate<'_>) -> Result<(), Reason> {
    match certificate.extensions.key_usage().map_err(Reason::Malformed)? {
        Some(usage) if !usage.has_any(KeyUsage::KEY_CERT_SIGN) => {
            Err(Reason::MayNotSignCertificates)
        }
        _ => Ok(()),
    }
}

fn add_constraints<'a>(
    state: &mut State<'a>,
    certificate: &Certificate<'a>,
    reference: CertificateRef,
) -> Result<(), Reason> {
    if let Some(extension) = certificate.extensions.name_constraints {
        let constraints = NameConstraints::read(extension, reference);
        state.constraints.push(constraints.map_err(Reason::Malformed)?);
    }
    Ok(())
}

fn apply_policy_constraints(
    state: &mut State<'_>,
    certificate: &Certificate<'_>,
) -> Result<(), Reason> {
    if let Some(extension) = certificate.extensions.policy_constraints {
        let limits = extension::policy_constraints(extension).map_err(Reason::Malformed)?;
        let shorten = |counter: &mut u32, limit: Option<u32>| {
            *counter = limit.map_or(*counter, |limit| limit.min(*counter));
        };
        shorten(&mut state.explicit_policy, limits.require_explicit);
        shorten(&mut state.policy_mapping, limits.inhibit_mapping);
    }
    if let Some(extension) = certificate.extensions.inhibit_any_policy {
        let skip = extension::inhibit_any_policy(extension).map_err(Reason::Malformed)?;
        state.inhibit_any = state.inhibit_any.min(skip);
    }
    Ok(())
}

/// What the anchor's own certificate demands of the paths below it (RFC 5937 section 3.2).
fn apply_anchor<'a>(
    search: &Search<'a>,
    state: &mut State<'a>,
    certificate: &Certificate<'a>,
    reference: CertificateRef,
    purpose: Purpose,
) -> Result<(), Reason> {
    let extensions = &certificate.extensions;
    // An anchor is believed to be a CA unless it says that it is none.
    let basic = extensions.basic_constraints().map_err(Reason::Malformed)?;
    if basic.is_some_and(|basic| !basic.ca) {
        return Err(Reason::NotACa);
    }
    check_signing_usage(certificate)?;
    purpose.check_extended(extensions.extended_key_usage)?;
    check_critical(certificate)?;
    if let Some(limit) = basic.and_then(|basic| basic.path_len) {
        state.max_path_length = state.max_path_length.min(limit);
    }
    add_constraints(state, certificate, reference)?;
    // An anchor without policies stands for all; one with policies stands for those.
    if extensions.certificate_policies.is_some() {
        let critical = extensions.policies_critical;
        state.policies.descend(extensions.certificate_policies, critical, true, search.meter)?;
    }
    if let Some(mappings) = extensions.policy_mappings {
        state.policies.map(mappings, state.policy_mapping > 0, search.meter)?;
    }
    apply_policy_constraints(state, certificate)
}

/// Section 6.1.5, and what the last certificate is wanted for.
fn wrap_up(
    search: &Search<'_>,
    state: &mut State<'_>,
    certificate: &Certificate<'_>,
    goal: Goal,
    inputs: PolicyInputs<'_>,
) -> Result<Vec<Vec<u8>>, Reason> {
    let extensions = &certificate.extensions;
    // (a) and (b)
    state.explicit_policy = state.explicit_policy.saturating_sub(1);
    if let Some(extension) = extensions.policy_constraints {
        let limits = extension::policy_constraints(extension).map_err(Reason::Malformed)?;
        if limits.require_explicit == Some(0) {
            state.explicit_policy = 0;
        }
    }
    // (g)
    let policies = state.policies.user_policies(inputs.initial);
    if state.explicit_policy == 0 && policies.is_empty() {
        return Err(Reason::NoAcceptablePolicy);
    }
    let policies = policies.into_iter().map(<[u8]>::to_vec).collect();

    match goal {
        Goal::Peer => {
            check_peer(search, certificate)?;
            check_identity(search, certificate)?;
        }
        Goal::CrlIssuer => {
            let usage = extensions.key_usage().map_err(Reason::Malformed)?;
            if usage.is_some_and(|usage| !usage.has_any(KeyUsage::CRL_SIGN)) {
                return Err(Reason::KeyUsage);
            }
        }
    }
    Ok(policies)
}
