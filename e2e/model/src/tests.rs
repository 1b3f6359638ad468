use crate::protocol::Protocol;
use crate::{ChatRequest, Fault, Finish, Library, Options, Server, Situation};
use serde_json::{Value, json};

fn library() -> Library {
    Library::built_in().unwrap()
}

fn developer(attempt: u32, task: &str, results: &[&str]) -> Value {
    let mut messages = vec![
        json!({"role": "system", "content": format!("You work.\nRole: developer\nAttempt: {attempt}\n")}),
        json!({"role": "user", "content": task}),
    ];
    messages.extend(results.iter().map(|r| json!({"role": "tool", "tool_call_id": "x", "content": r})));
    json!({"model": "standard", "messages": messages})
}

fn situation(body: &Value) -> Situation {
    Situation::of(&serde_json::from_value::<ChatRequest>(body.clone()).unwrap())
}

const GOAL: &str = "slugify() drops non-ASCII letters. Transliterate them.";

#[test]
fn the_same_request_has_the_same_answer() {
    let library = library();
    let body = developer(1, GOAL, &[]).to_string();
    let answer = || {
        let request: ChatRequest = serde_json::from_str(&body).unwrap();
        let reply = library.reply(&Situation::of(&request)).unwrap().reply;
        crate::Answer::of(reply, &request, &body)
    };
    assert_eq!(answer(), answer());
    assert_eq!(answer().finish, Finish::ToolCalls);
}

#[test]
fn turns_follow_the_tool_results() {
    let library = library();
    let name = |results: &[&str]| {
        let reply = library.reply(&situation(&developer(1, GOAL, results))).unwrap().reply;
        reply.tool_calls.first().unwrap().name.clone()
    };
    assert_eq!(name(&[]), "list_files");
    assert_eq!(name(&["shop/slug.py"]), "read_file");
    assert_eq!(name(&["shop/slug.py", "def slugify(text):", "slugify"]), "write_file");
    assert_eq!(name(&["shop/slug.py", "def slugify(text):", "slugify", "wrote shop/slug.py"]), "finish");
}

#[test]
fn what_no_recording_fits_is_an_error_that_names_its_parts() {
    let library = library();
    let unknown_task = library.reply(&situation(&developer(1, "something else", &[]))).unwrap_err();
    assert_eq!(unknown_task.nearest, "none of this task");
    let other_result = library.reply(&situation(&developer(1, GOAL, &["nothing here"]))).unwrap_err();
    assert!(other_result.nearest.contains("does not fit"), "{other_result}");
    assert_eq!(other_result.results.len(), 1);
    let no_feedback = library.reply(&situation(&developer(2, GOAL, &[]))).unwrap_err();
    assert!(no_feedback.nearest.contains("strasse"), "{no_feedback}");
}

#[test]
fn the_limit_of_the_request_cuts_the_answer() {
    let library = library();
    let mut body = developer(1, GOAL, &["shop/slug.py", "def slugify", "slugify"]);
    body["max_tokens"] = json!(20);
    let request: ChatRequest = serde_json::from_value(body.clone()).unwrap();
    let reply = library.reply(&Situation::of(&request)).unwrap().reply;
    let answer = crate::Answer::of(reply, &request, &body.to_string());
    assert_eq!(answer.finish, Finish::Length);
    assert!(answer.usage.completion <= 20);
    assert!(answer.content.len() + answer.tool_calls.iter().map(|c| c.arguments.len()).sum::<usize>() <= 80);
}

#[test]
fn every_ballot_of_the_stories_is_json() {
    for (story, roles) in
        [(GOAL, 4), ("Which queue should the shop use", 4), ("Write a CONTRIBUTING guide", 4)]
    {
        let voters = ["security", "reviewer", "architect", "tester"];
        let parsed = voters.iter().filter(|role| {
            let body = json!({"messages": [
                {"role": "system", "content": format!("Role: {role}")}, {"role": "user", "content": story}]});
            let library = library();
            let reply = library.reply(&situation(&body)).unwrap().reply;
            let text = reply.content.trim().trim_start_matches("```json").trim_end_matches("```");
            serde_json::from_str::<Value>(text).is_ok()
        });
        assert_eq!(parsed.count(), roles, "{story}");
    }
}

#[test]
fn the_tally_survives_a_restart_and_a_cut_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tally.jsonl");
    let start = || Server::new(Options { tally: Some(file.clone()), ..Options::default() }).unwrap();
    let body = developer(1, GOAL, &[]).to_string();
    let ask = |server: &Server, op: &str| {
        let request: ChatRequest = serde_json::from_str(&body).unwrap();
        assert!(server.answer(&request, &body, op).is_ok());
    };
    let first = start();
    ask(&first, "a/u1");
    std::fs::write(&file, format!("{}{{\"op\":\"torn", std::fs::read_to_string(&file).unwrap())).unwrap();
    let second = start();
    assert_eq!(second.tally(), first.tally());
    ask(&second, "b/u1");
    let third = start().tally();
    assert_eq!(third.totals.calls, 2);
    assert_eq!(third.by_op.keys().collect::<Vec<_>>(), ["a/u1", "b/u1"]);
}

#[test]
fn unmatched_requests_are_counted_apart() {
    let server = Server::new(Options::default()).unwrap();
    let body = developer(1, "unknown", &[]).to_string();
    let request: ChatRequest = serde_json::from_str(&body).unwrap();
    assert!(server.answer(&request, &body, "x").is_err());
    let tally = server.tally();
    assert_eq!((tally.totals.calls, tally.totals.unmatched, tally.totals.prompt_tokens), (0, 1, 0));
}

#[test]
fn ordered_faults_apply_to_the_next_calls_only() {
    let faults = crate::Faults::default();
    faults.order(Fault { next: 2, status: Some(429), ..Fault::default() });
    assert_eq!(faults.take().unwrap().status, Some(429));
    assert_eq!(faults.take().unwrap().status, Some(429));
    assert_eq!(faults.take(), None);
}

#[test]
fn a_question_is_the_same_in_every_protocol() {
    let system = "You work.\nRole: developer\nAttempt: 1";
    let mut chat = developer(1, GOAL, &["shop/slug.py"]);
    chat["messages"][0]["content"] = json!(system);
    chat["tools"] = json!([{"type": "function", "function": {"name": "list_files"}}]);
    let tools = json!([{"type": "function", "name": "list_files"}, {"type": "web_search"}]);
    let responses = json!({"instructions": system, "max_output_tokens": 7, "tools": tools, "input": [
        {"role": "user", "content": [{"type": "input_text", "text": GOAL}, {"type": "input_image", "image_url": "data:x"}]},
        {"type": "function_call", "call_id": "c", "name": "list_files", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "shop/slug.py"}]});
    let messages = json!({"system": [{"type": "text", "text": system}], "max_tokens": 7, "tools": tools, "messages": [
        {"role": "user", "content": GOAL},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "list_files", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "shop/slug.py"}]},
            {"type": "text", "text": "<system-reminder>be brief</system-reminder>"}]}]});
    for (protocol, body) in [(Protocol::Responses, responses), (Protocol::Messages, messages)] {
        let request = protocol.read(&body.to_string()).unwrap();
        assert_eq!(Situation::of(&request), situation(&chat), "{protocol:?}");
        assert_eq!(request.max_output(), 7);
    }
    assert_eq!(situation(&chat).offered, ["list_files"]);
    assert!(Protocol::Messages.read(r#"{"messages": []}"#).is_err(), "it needs max_tokens");
    let plain = Protocol::Responses.read(&json!({"input": GOAL}).to_string()).unwrap();
    assert_eq!(Situation::of(&plain).task(), GOAL);
}

/// The first request of Codex, as far as an answer depends on it: surroundings and question are messages of their own.
fn of_codex(prompt: &str) -> Value {
    let said = |role: &str, text: &str| json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]});
    json!({"stream": true, "tools": [{"type": "function", "name": "exec_command"}, {"type": "web_search"}],
        "input": [said("developer", "You are a coding agent."), said("user", "<cwd>/workspace</cwd>"),
            said("user", prompt)]})
}

/// That of Claude Code: reminders and question are one message, and more of the system's words follow.
fn of_claude_code(prompt: &str) -> Value {
    let tools = ["Bash", "Edit", "Read", "Write"].map(|name| json!({"name": name, "input_schema": {}}));
    json!({"stream": true, "max_tokens": 64_000, "tools": tools, "system": [{"type": "text", "text": "You are an agent."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "<system-reminder/>"}, {"type": "text", "text": prompt}]},
            {"role": "system", "content": "# Environment"}]})
}

#[test]
fn agents_of_other_makers_are_told_apart_by_their_tools_and_the_second_attempt_by_its_feedback() {
    let library = library();
    let begins = |protocol: Protocol, body: &Value| {
        let request = protocol.read(&body.to_string()).unwrap();
        let found = library.reply(&Situation::of(&request)).unwrap();
        (found.reply.content.clone(), found.reply.tool_calls[0].name.clone())
    };
    let again = format!("{GOAL}\n\nassert 'groe-strae' == 'grosse-strasse'");
    let (codex, tool) = begins(Protocol::Responses, &of_codex(GOAL));
    assert_eq!((codex.contains("its tests"), tool.as_str()), (true, "exec_command"));
    let (first, tool) = begins(Protocol::Messages, &of_claude_code(GOAL));
    assert_eq!(tool, "Read");
    let (second, _) = begins(Protocol::Messages, &of_claude_code(&again));
    assert!(second.contains("ß") && first != second, "{second}");

    let mut other = of_claude_code(GOAL);
    other["tools"] = json!([{"name": "Fetch"}]);
    let request = Protocol::Messages.read(&other.to_string()).unwrap();
    let unknown = library.reply(&Situation::of(&request)).unwrap_err();
    assert_eq!(unknown.offered, ["Fetch"], "{unknown}");
}

#[test]
fn what_is_said_without_an_answer_between_is_one_question() {
    let asked = |list: Value| situation(&json!({"messages": list})).asked;
    let user = |text: &str| json!({"role": "user", "content": text});
    let assistant = json!({"role": "assistant", "content": "yes"});
    assert_eq!(asked(json!([user("a"), {"role": "system", "content": "s"}, user("b")])), ["a\nb"]);
    assert_eq!(asked(json!([user("a"), assistant, user("b")])), ["a", "b"]);
    assert_eq!(asked(json!([user("a"), {"role": "tool", "content": "r"}, user("b")])), ["a", "b"]);
}

#[test]
fn an_answer_says_the_same_in_every_protocol_streamed_or_whole() {
    let library = library();
    let body = developer(1, GOAL, &[]).to_string();
    let request: ChatRequest = serde_json::from_str(&body).unwrap();
    let answer = crate::Answer::of(library.reply(&Situation::of(&request)).unwrap().reply, &request, &body);
    let fault = Fault::default();
    for (protocol, last) in
        [(Protocol::Responses, "response.completed"), (Protocol::Messages, "message_stop")]
    {
        let whole = protocol.whole(&answer, &fault).to_string();
        let events = protocol.events(&answer, &request, &fault).concat();
        for text in [&whole, &events] {
            assert!(
                text.contains("list_files") && text.contains(&answer.usage.completion.to_string()),
                "{text}"
            );
        }
        assert!(events.rsplit("event: ").next().unwrap().starts_with(last), "{events}");
        let hidden = Fault { hide_usage: true, ..Fault::default() };
        assert!(!protocol.whole(&answer, &hidden).to_string().contains("output_tokens"));
        assert!(!protocol.events(&answer, &request, &hidden).concat().contains("output_tokens"));
    }
}
