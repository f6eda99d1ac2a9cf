"""The calls of a page that is served: by HTTP and by the Model Context Protocol, at ``afn app``.

Answers are those of the commands and of the encoder itself, also when many ask at once.
"""

import asyncio
import json
import re
import shutil
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("gradio")
pytest.importorskip("activation_flow.command_app")

DAY, WALK = "Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the beach!"
ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "app.md"
# gradio_client leaves sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def url(page_server):
    """The address of a page in a process of its own, with everything switched on."""
    return page_server.url.rstrip("/")


def get(address, data=None):
    """What is at an address of this machine."""
    headers = {"Content-Type": "application/json"} if data else {}
    body = json.dumps(data).encode() if data else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(address, body, headers), timeout=120) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def client(url):
    import gradio_client

    return gradio_client.Client(url, verbose=False)


def printed(afn, *words):
    code, out, err = afn(*words, "-m", "minilm", "--json")
    assert code == 0, err
    return json.loads(out)


def test_strength_shift_and_prompts_are_those_of_the_commands(afn, client):
    found = client.predict([DAY, WALK], layers="2-4", words=True, api_name="/strength")
    assert found == printed(afn, "strength", DAY, WALK, "-l", "2-4", "--words")
    found = client.predict(DAY, WALK, quantile=0.5, api_name="/shift")
    assert found == printed(afn, "shift", DAY, WALK, "--quantile", "0.5")
    found = client.predict(DAY, ["Hi", "No"], layers="all", baseline=True, api_name="/prompts")
    words = ("-p", "Hi", "-p", "No", "--baseline", "-l", "all")
    assert found == printed(afn, "prompts", DAY, *words)


def test_an_error_says_what_to_do(client):
    import gradio_client.exceptions

    with pytest.raises(gradio_client.exceptions.AppError, match="layer 9 is out of range"):
        client.predict([DAY], layers="9", api_name="/strength")


def called(url, name, arguments):
    """The document that a call gives, as curl would ask for it."""
    event = json.loads(get(f"{url}/gradio_api/call/v2/{name}", arguments))["event_id"]
    answer = get(f"{url}/gradio_api/call/v2/{name}/{event}")
    assert answer.startswith("event: complete\ndata: [{"), answer[:200]
    (document,) = json.loads(answer.split("data: ", 1)[1])
    return document


def test_ten_at_once_each_get_their_own(url, minilm):
    texts = [f"Text {n}: {'more of it, ' * (n % 7)}and number {n} again." for n in range(200)]
    with ThreadPoolExecutor(10) as pool:
        found = [*pool.map(lambda text: called(url, "strength", {"texts": [text]}), texts)]
    for text, document in zip(minilm.strength(texts), found, strict=True):
        assert document == text._as_list().to_dict()


def test_a_tool_of_an_agent_gives_the_same(afn, url):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def ask():
        async with (
            streamablehttp_client(f"{url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            listed = (await session.list_tools()).tools
            tools = {tool.name: tool for tool in listed}
            called = await session.call_tool("shift", {"a": DAY, "b": WALK, "layer": "3"})
            return tools, called

    tools, called = asyncio.run(ask())
    assert {"strength", "shift", "prompts"} <= set(tools)
    assert "L2 distance" in tools["shift"].description
    asked = tools["shift"].inputSchema["properties"]
    assert [*asked] == ["a", "b", "model", "layer", "align", "quantile", "words"]
    assert asked["layer"]["description"].startswith("one, such as 8 or -1")
    (content,) = called.content
    assert json.loads(content.text) == printed(afn, "shift", DAY, WALK, "-l", "3")


# the guide


def blocks(language):
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found


def test_the_guides_python_runs_against_a_page(url, capsys):
    (block,) = (one for one in blocks("python") if "gradio_client" in one)
    exec(compile(block.replace("http://127.0.0.1:7860", url), "app.md", "exec"), {})
    expected = re.findall(r"#> (.*)", block)
    assert expected
    assert capsys.readouterr().out.splitlines() == expected


def test_the_guides_curl_is_run_by_a_shell(url):
    (block,) = (one for one in blocks("sh") if "curl" in one)
    asked = re.findall(r"^ask (\w+) '(.*)'$", block, re.MULTILINE)
    assert [name for name, _ in asked] == ["strength", "shift", "prompts"]
    if shutil.which("curl") is None:  # what it would ask is answered, at least
        found = [called(url, name, json.loads(body)) for name, body in asked]
    else:
        block = block.replace("http://127.0.0.1:7860", url)
        done = subprocess.run(["sh", "-c", block], capture_output=True, text=True, timeout=120)
        assert (done.stderr, done.stdout.count("event: complete")) == ("", 3)
        found = [json.loads(line)[0] for line in re.findall(r"^data: (\[.*)", done.stdout, re.M)]
    assert [document["schema"] for document in found] == ["strength/1", "shift/1", "prompts/1"]
