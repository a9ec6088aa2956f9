//! The pages of the protocol say what the code does: every path, every status and every code, both ways.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Node;
use crate::http::problem::Code;
use crate::http::report::{ClusterReport, HandoffReport, Location, NodeStatus as _, SourceReport};

fn document() -> Value {
    serde_json::from_str(ringhold_proto_docs::OPENAPI).unwrap()
}

#[test]
fn the_openapi_document_lists_every_code_under_its_status() {
    let document = document();
    let mut listed = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let shared = response["$ref"].as_str().map(|reference| &reference[1..]);
                let response = shared.map_or(response, |shared| document.pointer(shared).unwrap());
                let codes = response
                    .pointer("/content/application~1problem+json/schema/allOf/1/properties/code/enum");
                for code in codes.and_then(Value::as_array).into_iter().flatten() {
                    let code = code.as_str().unwrap();
                    let known = Code::ALL.iter().find(|known| known.as_str() == code);
                    let known = known.unwrap_or_else(|| panic!("{method} {path}: there is no code {code}"));
                    assert_eq!(known.status().as_str(), status, "{method} {path}: {code}");
                    listed.insert(code.to_owned());
                }
            }
        }
    }
    let all: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(listed, all);
    let schema =
        document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap();
    assert_eq!(schema.iter().map(|code| code.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), all);
}

#[test]
fn the_openapi_document_knows_every_kind_of_patch() {
    let document = document();
    let kinds = &document["paths"]["/objects/{key}"]["patch"]["requestBody"]["content"];
    for kind in crate::patch::PatchKind::ACCEPT_PATCH.split(", ") {
        assert!(kinds.get(kind).is_some(), "{kind}");
    }
}

#[test]
fn every_reference_in_the_openapi_document_leads_somewhere() {
    fn check(root: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    assert!(root.pointer(&reference[1..]).is_some(), "{reference}");
                }
                members.values().for_each(|value| check(root, value));
            }
            Value::Array(items) => items.iter().for_each(|value| check(root, value)),
            _ => {}
        }
    }
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    check(&document, &document);
}

#[tokio::test]
async fn every_path_of_the_openapi_document_answers_with_a_status_that_it_lists() {
    let node = Node::start().await;
    let key = "3ae04e3f-164e-ab96-04d2-51aa51104daa";
    for (path, item) in document()["paths"].as_object().unwrap() {
        let path = path.replace("{key}", key);
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase();
            let response = node.ask(&format!("{method} {path}\nContent-Type: text/plain\n\nbody")).await;
            let listed = operation["responses"].as_object().unwrap();
            assert!(
                listed.contains_key(&response.status.to_string()),
                "{method} {path}: {}",
                response.status
            );
            assert!(response.status != 404 || !response.text().contains("no-such-path"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_reports_have_the_members_that_the_openapi_document_requires() {
    let document = document();
    let required = |schema: &str| -> BTreeSet<String> {
        let names = document["components"]["schemas"][schema]["required"].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let members = |value: Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let node = Node::start().await;
    let cluster: ClusterReport = node.status.cluster();
    let source = SourceReport {
        name: "tls".into(),
        files: vec!["keystore.p12".into()],
        loaded_at_ms: 1,
        reloads: 0,
        failures: 0,
        error: None,
    };
    let location: Location = node.status.locate(&ringhold_ring::Key::new("a").unwrap());
    assert_eq!(members(serde_json::to_value(&cluster.members[0]).unwrap()), required("MemberReport"));
    assert_eq!(members(serde_json::to_value(cluster.store).unwrap()), required("StoreReport"));
    assert_eq!(members(serde_json::to_value(&cluster).unwrap()), required("ClusterReport"));
    assert_eq!(members(serde_json::to_value(&cluster.security).unwrap()), required("SecurityReport"));
    let handoff = HandoffReport {
        member: cluster.member.clone(),
        objects_sent: 1,
        bytes_sent: 2,
        objects_left: 3,
        started_at_ms: 4,
    };
    assert_eq!(members(serde_json::to_value(&handoff).unwrap()), required("HandoffReport"));
    assert_eq!(members(serde_json::to_value(cluster.copies).unwrap()), required("CopiesReport"));
    assert_eq!(members(serde_json::to_value(&source).unwrap()), required("SourceReport"));
    assert_eq!(members(serde_json::to_value(&location).unwrap()), required("Location"));
}
