//! Certificate policies as the graph of RFC 9618, which replaces the tree of RFC 5280 section 6.1: each depth
//! holds each policy at most once, so that size and time are linear in the certificates and not exponential.

use alloc::vec::Vec;

use crate::error::{Limit, Reason};
use crate::format::der::{DerError, DerErrorKind, Field};
use crate::format::oid::{self, ANY_POLICY, QUALIFIER_CPS, QUALIFIER_USER_NOTICE};
use crate::path::budget::Meter;

type Oid<'a> = &'a [u8];

/// The graph while a path is processed from the anchor down.
#[derive(Debug)]
pub(crate) struct PolicyGraph<'a> {
    /// One level per certificate processed; empty before the first, when only `anyPolicy` stands.
    levels: Vec<Level<'a>>,
    /// `valid_policy_graph` is NULL.
    null: bool,
}

/// The nodes of one depth, sorted by policy.
#[derive(Debug, Default)]
struct Level<'a> {
    nodes: Vec<Node<'a>>,
    /// Policy mappings out of this depth: expected policy and the node that expects it, sorted. A policy that
    /// is not mapped expects itself and is not listed.
    mapped: Vec<(Oid<'a>, Oid<'a>)>,
}

#[derive(Debug)]
struct Node<'a> {
    policy: Oid<'a>,
    /// Policies of the nodes above that expect this one.
    parents: Vec<Oid<'a>>,
    has_mapping: bool,
}

impl<'a> Level<'a> {
    fn find(&self, policy: Oid<'_>) -> Option<usize> {
        self.nodes.binary_search_by(|node| node.policy.cmp(policy)).ok()
    }

    /// Nodes that expect `policy` below them.
    fn expecting(&self, policy: Oid<'a>) -> Vec<Oid<'a>> {
        let start = self.mapped.partition_point(|(expected, _)| *expected < policy);
        let mut parents: Vec<Oid<'a>> = self.mapped[start..]
            .iter()
            .take_while(|(expected, _)| *expected == policy)
            .map(|(_, node)| *node)
            .collect();
        if let Some(index) = self.find(policy)
            && !self.nodes[index].has_mapping
        {
            parents.push(policy);
        }
        parents
    }
}

impl<'a> PolicyGraph<'a> {
    pub(crate) fn new() -> Self {
        Self { levels: Vec::new(), null: false }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.null
    }

    /// RFC 5280 section 6.1.3 (d) and (e) with RFC 9618 section 5.2: one more certificate.
    ///
    /// `any_allowed` says whether `anyPolicy` counts: inhibit_anyPolicy is positive, or the certificate is
    /// self-issued and not the last.
    pub(crate) fn descend(
        &mut self,
        policies: Option<Field<'a>>,
        critical: bool,
        any_allowed: bool,
        meter: &Meter,
    ) -> Result<(), Reason> {
        let policies = policies.map(|field| read_policies(field, critical, meter)).transpose()?;
        if self.null {
            return Ok(());
        }
        let Some(policies) = policies else {
            self.null = true;
            self.levels.clear();
            return Ok(());
        };
        let root = Level {
            nodes: Vec::from([Node {
                policy: ANY_POLICY,
                parents: Vec::new(),
                has_mapping: false,
            }]),
            mapped: Vec::new(),
        };
        let above = self.levels.last().unwrap_or(&root);
        let above_any = above.find(ANY_POLICY).is_some();
        let mut level = Level::default();
        // (d) (1): each policy, under the nodes that expect it or else under anyPolicy.
        for &policy in policies.iter().filter(|policy| **policy != ANY_POLICY) {
            let mut parents = above.expecting(policy);
            if parents.is_empty() && above_any {
                parents.push(ANY_POLICY);
            }
            if !parents.is_empty() {
                level.nodes.push(Node { policy, parents, has_mapping: false });
            }
        }
        // (d) (2): anyPolicy continues everything that is expected and not named. Policies are sorted, so
        // `policies` tells quickly what is named.
        if any_allowed && policies.binary_search(&ANY_POLICY).is_ok() {
            let unmapped =
                above.nodes.iter().filter(|node| !node.has_mapping).map(|node| node.policy);
            let mut expected: Vec<Oid<'a>> =
                above.mapped.iter().map(|(expected, _)| *expected).chain(unmapped).collect();
            expected.sort_unstable();
            expected.dedup();
            for policy in expected {
                meter.spend(Limit::PolicyNodes)?;
                if policy == ANY_POLICY || policies.binary_search(&policy).is_err() {
                    let parents = above.expecting(policy);
                    level.nodes.push(Node { policy, parents, has_mapping: false });
                }
            }
        }
        level.nodes.sort_unstable_by_key(|node| node.policy);
        self.null = level.nodes.is_empty();
        self.levels.push(level);
        Ok(())
    }

    /// RFC 5280 section 6.1.4 (a) and (b) with RFC 9618 section 5.3: the mappings of a CA certificate.
    pub(crate) fn map(
        &mut self,
        mappings: Field<'a>,
        mapping_allowed: bool,
        meter: &Meter,
    ) -> Result<(), Reason> {
        let mut pairs = read_mappings(mappings, meter)?;
        if pairs.iter().any(|(from, to)| *from == ANY_POLICY || *to == ANY_POLICY) {
            return Err(Reason::MapsAnyPolicy);
        }
        let Some(level) = self.levels.last_mut().filter(|_| !self.null) else { return Ok(()) };
        pairs.sort_unstable();
        pairs.dedup();
        if !mapping_allowed {
            let unmapped = |policy| pairs.binary_search_by_key(&policy, |(from, _)| *from).is_err();
            level.nodes.retain(|node| unmapped(node.policy));
            self.null = level.nodes.is_empty();
            return Ok(());
        }
        let any = level.find(ANY_POLICY).is_some();
        let mut added: Vec<Node<'a>> = Vec::new();
        for &(from, to) in &pairs {
            match level.find(from) {
                Some(index) => level.nodes[index].has_mapping = true,
                None if any => {
                    // Pairs are sorted: the same policy comes in a row.
                    if added.last().is_none_or(|node| node.policy != from) {
                        let parents = Vec::from([ANY_POLICY]);
                        added.push(Node { policy: from, parents, has_mapping: true });
                    }
                }
                None => continue,
            }
            level.mapped.push((to, from));
        }
        level.nodes.append(&mut added);
        level.nodes.sort_unstable_by_key(|node| node.policy);
        level.mapped.sort_unstable();
        Ok(())
    }

    /// RFC 5280 section 6.1.5 (g) with RFC 9618 section 5.4: the user-constrained policy set, sorted.
    /// `initial` is the user-initial-policy-set; empty means `anyPolicy`.
    pub(crate) fn user_policies(&self, initial: &[Oid<'a>]) -> Vec<Oid<'a>> {
        if self.null {
            return Vec::new();
        }
        let authority = self.authority_policies();
        if initial.is_empty() || initial.contains(&ANY_POLICY) {
            return authority;
        }
        let mut user: Vec<Oid<'a>> = initial.to_vec();
        if authority.binary_search(&ANY_POLICY).is_err() {
            user.retain(|policy| authority.binary_search(policy).is_ok());
        }
        user.sort_unstable();
        user.dedup();
        user
    }

    /// The policies in the anchor's terms under which the whole path is valid, sorted: those whose node hangs
    /// from an `anyPolicy` node and has descendants down to the last level.
    fn authority_policies(&self) -> Vec<Oid<'a>> {
        let Some(last) = self.levels.last() else { return Vec::from([ANY_POLICY]) };
        let mut found: Vec<Oid<'a>> = Vec::new();
        let mut reachable: Vec<Oid<'a>> = last.nodes.iter().map(|node| node.policy).collect();
        if last.find(ANY_POLICY).is_some() {
            found.push(ANY_POLICY);
        }
        for level in self.levels.iter().rev() {
            let mut next: Vec<Oid<'a>> = Vec::new();
            for policy in reachable {
                let Some(index) = level.find(policy) else { continue };
                for &parent in &level.nodes[index].parents {
                    if parent == ANY_POLICY && policy != ANY_POLICY {
                        found.push(policy);
                    }
                    next.push(parent);
                }
            }
            next.sort_unstable();
            next.dedup();
            reachable = next;
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The policies of the extension, sorted. RFC 5280 section 4.2.1.4: none may appear twice.
fn read_policies<'a>(
    extension: Field<'a>,
    critical: bool,
    meter: &Meter,
) -> Result<Vec<Oid<'a>>, Reason> {
    let mut policies = Vec::new();
    let mut unknown = None;
    each(extension, meter, |reader| {
        policies.push(reader.oid()?);
        if let Some(qualifiers) = reader.optional(crate::format::der::tag::SEQUENCE)? {
            let mut list = qualifiers.reader();
            if list.is_empty() {
                return Err(qualifiers.error(DerErrorKind::Value));
            }
            while !list.is_empty() {
                let mut qualifier = list.sequence()?;
                let id = qualifier.oid()?;
                if id != QUALIFIER_CPS && id != QUALIFIER_USER_NOTICE {
                    unknown = Some(id);
                }
                qualifier.any()?;
                qualifier.finish()?;
            }
        }
        Ok(())
    })?;
    // "If this extension is critical, the path validation software MUST be able to interpret this extension
    // (including the optional qualifier), or MUST reject the certificate."
    if let (Some(id), true) = (unknown, critical) {
        return Err(Reason::UnknownCriticalExtension(oid::dotted(id)));
    }
    policies.sort_unstable();
    if policies.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Reason::Malformed(extension.error(DerErrorKind::Value)));
    }
    Ok(policies)
}

/// Pairs of issuerDomainPolicy and subjectDomainPolicy.
fn read_mappings<'a>(
    extension: Field<'a>,
    meter: &Meter,
) -> Result<Vec<(Oid<'a>, Oid<'a>)>, Reason> {
    let mut pairs = Vec::new();
    each(extension, meter, |reader| {
        pairs.push((reader.oid()?, reader.oid()?));
        Ok(())
    })?;
    Ok(pairs)
}

/// Calls `read` for each SEQUENCE in a non-empty SEQUENCE.
fn each<'a>(
    extension: Field<'a>,
    meter: &Meter,
    mut read: impl FnMut(&mut crate::format::der::Reader<'a>) -> Result<(), DerError>,
) -> Result<(), Reason> {
    let mut outer = extension.reader();
    let mut list = outer.sequence().map_err(Reason::Malformed)?;
    outer.finish().map_err(Reason::Malformed)?;
    if list.is_empty() {
        return Err(Reason::Malformed(extension.error(DerErrorKind::Value)));
    }
    while !list.is_empty() {
        meter.spend(Limit::PolicyNodes)?;
        let mut item = list.sequence().map_err(Reason::Malformed)?;
        read(&mut item).map_err(Reason::Malformed)?;
        item.finish().map_err(Reason::Malformed)?;
    }
    Ok(())
}
