/* A reader who is no member of the study any more: how the page knows, and what it says. */
import { ApiError } from "../shared/api.js";
import { count } from "../shared/text.js";

/** The reply of a route that every member of the study has: where it is not found, who asks is no member any more. */
export async function asMember(asking) {
  try {
    return await asking;
  } catch (error) {
    if (error.status !== 404) throw error;
    throw new ApiError("stranger", "you are no longer a member of this study", error.status, error.body);
  }
}

/** What became of the answers, and whom to ask; `answered` are the crops that the server counted as this reader's. */
export function strangerText({ answered, waiting, leads = [] }) {
  const saved = answered ? `Your ${count(answered)} saved ${answered === 1 ? "answer stays" : "answers stay"} in the study.` : "";
  const [them, go] = waiting === 1 ? ["One more answer waits: it is", "goes"] : [`${count(waiting)} more answers wait: they are`, "go"];
  const kept = waiting ? `${them} kept on this computer, and ${go} out as soon as you are a member again.` : "";
  const who = leads.length ? `${leads.join(" or ")}, who ${leads.length === 1 ? "leads" : "lead"} it` : "a lead of it";
  return ["You are no longer a member of this study.", saved, kept, `To read on, ask ${who}.`].filter(Boolean).join("\n");
}
