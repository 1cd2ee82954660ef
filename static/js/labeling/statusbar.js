/* Writes the state of the room onto the page, at most once a frame. */
import { mayPass } from "../shared/api.js";
import { count } from "../shared/text.js";
import { strangerText } from "./membership.js";
import {
  TOLD_MS, answerName, factText, isStillTold, progressLine, rankingDetail, rankingLine, saveState, unsentAnswers, unreachable, withWaiting,
} from "./status.js";
import { passedCrops, sittingLine } from "./sitting.js";

const RETRY_MS = 3000;
const LOOK_AGAIN_MS = 20000;
const FRESH_MS = 900;
export const ARCHIVED = "This study was archived: nothing is asked any more. All your answers are kept.\nIf there is more to read, its lead can restore it.";
const HELD_BACK = "All crops left for you will probably be “not sure”, and you chose to leave such crops out.\nOther readers may get them.";

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class StatusBar {
  constructor({ find, main, session, outbox, pool, classNames, blind, leads = [] }) {
    Object.assign(this, { find, main, session, outbox, pool, classNames, blind, leads });
    this.due = false;
    this.told = { text: "", at: 0 };
    this.triedAt = Date.now();
    this.lookedAt = Date.now();
    this.lookAgainMs = FRESH_MS;
  }

  get paused() {
    return this.session.paused;
  }

  refresh() {
    this.main.dataset.waiting = String(this.outbox.waiting);
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.write();
    });
  }

  /** Says something once: on the page, and to screen readers. */
  tell(text) {
    this.told = { text, at: Date.now() };
    setText(this.find("trouble"), text);
    this.refresh();
    setTimeout(() => this.refresh(), TOLD_MS);
  }

  /** The reader went on: what was said of the crop before is over. */
  hush() {
    this.told = { text: "", at: 0 };
  }

  write() {
    const now = Date.now();
    this.find("pause").setAttribute("aria-pressed", String(this.paused));
    this.writeSaved(now);
    this.writeProgress();
    setText(this.find("sitting-state"), sittingLine(this.session.sitting, passedCrops(this.outbox.items)));
    this.writeRanking(now);
    this.writeFacts();
    if (this.paused || this.main.dataset.state !== "ready" || !this.session.current) this.writeCurtain();
  }

  writeSaved(now) {
    const state = saveState(this.outbox, now);
    const line = this.find("save-state");
    const isTold = isStillTold(this.told, this.outbox, state.tone, now);
    setText(line, isTold ? this.told.text : state.text);
    line.dataset.tone = isTold ? "warn" : state.tone;
    this.find("login-again").hidden = state.kind !== "auth" && this.session.problem?.kind !== "auth";
    if (state.tone !== "quiet" && state.kind !== this.lastKind) setText(this.find("trouble"), state.text);
    this.lastKind = state.kind;
  }

  writeProgress() {
    const { answered, text } = progressLine(this.session.progress, unsentAnswers(this.outbox.items));
    setText(this.find("progress-text"), text);
    this.find("progress").max = Math.max(1, this.session.progress.total);
    this.find("progress").value = answered;
  }

  writeRanking(now) {
    const line = this.find("ranking");
    const waiting = this.outbox.items.filter(({ kind }) => kind === "answer").length;
    setText(line, this.session.config.cases ? "cases in your own order" : rankingLine(withWaiting(this.session.ranking, waiting), now));
    const detail = rankingDetail(this.session.ranking);
    if (line.title !== detail) line.title = detail;
    setText(this.find("ranking-detail"), detail);
  }

  writeFacts() {
    const { current, history } = this.session;
    setText(this.find("why"), current ? factText(current.why, this.blind, "taken back") : "");
    setText(this.find("experiment"), current ? factText(current.experiment, this.blind, "") : "");
    const { last } = history;
    setText(this.find("last"), last ? answerName(last, this.classNames) : "none yet");
    const more = this.find("more-like");
    // In a study of readers nobody chooses what comes next.
    more.hidden = !last || "closed" in more.dataset;
    if (last) more.href = more.dataset.address.replace("/0/", `/${last.crop.id}/`);
  }

  writeCurtain() {
    const { current, ended, problem } = this.session;
    const broken = current && this.pool.problem(current.pixels);
    const [state, text] = this.curtain(current, ended, problem, broken);
    this.main.dataset.state = state;
    setText(this.find("curtain-text"), text);
    if (state === "stranger") setText(this.find("trouble"), text);
    this.find("curtain-actions").hidden = state !== "end" && state !== "held";
    this.find("lift-ceiling").hidden = state !== "held";
  }

  curtain(current, ended, problem, broken) {
    if (this.session.isOut) {
      return ["stranger", strangerText({ answered: this.session.progress.answered, waiting: this.outbox.waiting, leads: this.leads })];
    }
    if (this.paused) return ["paused", "Paused. Your crops are given back, and the time stands still.\nPress pause again to go on."];
    if (broken && !mayPass(broken)) {
      return ["broken", `This crop's pixels cannot be shown: ${broken.message}.\nPress x to mark it as a bad crop and go on.`];
    }
    const kind = broken?.kind ?? problem?.kind;
    if (kind === "auth") return ["loading", "You are logged out. Log in again in the other tab; this page goes on by itself."];
    if (kind === "refused" || kind === "forbidden") return ["loading", `The server gave no crops: ${problem.message}.`];
    if (kind) return ["loading", unreachable(this.outbox.waiting)];
    if (current) return ["loading", "Fetching the crop …"];
    if (!ended) return ["loading", "Fetching crops …"];
    if (this.session.sitting.archived) return ["end", ARCHIVED];
    if (this.session.sitting.held_back) return ["held", HELD_BACK];
    if (this.session.sitting.note) return ["end", this.session.sitting.note];
    const { answered } = this.session.progress;
    const done = `Nothing left to read: every open crop of this study has its answers (${count(answered)} read).`;
    return ["end", `${done}\nNew crops appear when experiments are added or another reader's turn ends.`];
  }

  /** Once a second: ages grow, and what failed is tried again. */
  tick() {
    const { session, pool } = this;
    this.refresh();
    const idle = Date.now() - this.triedAt;
    if (session.pausing.isDue && idle >= RETRY_MS) {
      this.triedAt = Date.now();
      session.pausing.settle();
    }
    if (this.paused) return;
    this.followRanking();
    session.hold();
    if (idle < RETRY_MS) return;
    pool.retry(mayPass);
    const hungry = !session.current && !session.queue.length;
    const starved = session.problem && session.queue.length < 3;
    if ((hungry && (!session.ended || idle > LOOK_AGAIN_MS)) || starved) session.refill();
    if (!session.ended || idle > LOOK_AGAIN_MS) this.triedAt = Date.now();
  }

  /** Asks whether the answers on this page are ranked by now: soon after an answer, then more and more seldom. */
  followRanking() {
    const { ranking } = this.session;
    if (this.outbox.waiting || !ranking) return;
    if (!ranking.newer_answers) {
      this.lookAgainMs = FRESH_MS;
      this.lookedAt = Date.now();
    } else if (Date.now() - this.lookedAt >= this.lookAgainMs) {
      this.lookedAt = Date.now();
      this.lookAgainMs = Math.min(LOOK_AGAIN_MS, 2 * this.lookAgainMs);
      this.session.lookAtRanking();
    }
  }
}
