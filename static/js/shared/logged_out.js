/* Says on pages of htmx that the session is over. What stands on the page stays, so that nothing is lost by it. */

const WORDS = {
  get: ["what stands here may be old", "load this page again"],
  post: ["your answer was not changed yet", "press here once more"],
};

const notice = document.getElementById("logged-out");

document.body.addEventListener("htmx:afterRequest", ({ detail: { xhr, requestConfig } }) => {
  notice.hidden = xhr.status !== 401;
  if (notice.hidden) return;
  const [what, then] = requestConfig.verb === "get" ? WORDS.get : WORDS.post;
  notice.querySelector("[data-what]").textContent = what;
  notice.querySelector("[data-then]").textContent = then;
});
