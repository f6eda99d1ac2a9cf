// The page that is shown first: as soon as the other one is ready, that one is loaded in its place.
(() => {
  const said = document.getElementById("afn-starting");
  let missed = 0;
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
