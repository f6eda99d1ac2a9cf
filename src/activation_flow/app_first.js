// The page that is shown first: as soon as the other one is ready, that one is loaded in its place.
(() => {
  const said = document.getElementById("afn-starting");
  let missed = 0;

  // What stands behind "#" in a link never comes to the server by itself.
  const link = location.hash.slice(1).replace(/^\?/, "");
  const open = async () => {
    let first = document.getElementById("afn-first");
    first.hidden = true;
    const answer = await fetch(`/?${link}`, { cache: "no-store" });
    const pieces = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { value, done } = await pieces.read();
      if (done) return;
      text += value;
      const made = new DOMParser().parseFromString(text, "text/html");
      const wanted = made.getElementById("afn-first");
      if (wanted) first.replaceWith(wanted), (first = wanted);
    }
  };
  if (link) open().catch(() => {});

  const look = async () => {
    try {
      const answer = await fetch("/afn/ready", { cache: "no-store" });
      missed = 0;
      if ((await answer.json()).ready) return location.reload();
    } catch {
      missed += 1;
    }
    if (missed > 4) said.textContent = "The server has stopped. Start afn app again, then reload.";
    setTimeout(look, missed ? 1000 : 250);
  };
  look();
})();
