/* Comments on a crop: read, and written, in a sheet of their own. */
import { age } from "../shared/text.js";

export class Comments {
  constructor({ find, url, get, post }) {
    Object.assign(this, { find, url, get, post, crop: null, isSending: false });
    this.dialog = find("comments-dialog");
    this.text = find("comment-text");
    this.note = find("comment-note");
    find("comment-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.send();
    });
  }

  address(crop) {
    return this.url.replace("/0/", `/${crop.id}/`);
  }

  /** Whether the sheet still shows this crop: a reply may come late. */
  isOn(crop) {
    return this.dialog.open && this.crop === crop;
  }

  open(crop) {
    if (this.crop?.id !== crop.id) this.text.value = "";
    this.crop = crop;
    this.note.textContent = "";
    this.list([], "Fetching the comments …");
    this.dialog.showModal();
    this.text.focus();
    return this.fetch(crop);
  }

  async fetch(crop) {
    let [comments, none] = [[], "No comments to show. Those of others come once you have answered."];
    try {
      comments = await this.get(this.address(crop));
    } catch (error) {
      none = `The comments cannot be shown: ${error.message}.`;
    }
    if (this.isOn(crop)) this.list(comments, none);
  }

  list(comments, empty) {
    const rows = comments.map(({ author, text, created_at: at }) => {
      const row = document.createElement("li");
      const head = document.createElement("p");
      const body = document.createElement("p");
      head.className = "quiet small";
      head.textContent = `${author}, ${age(at, Date.now())} ago`;
      body.className = "prose";
      body.textContent = text;
      row.append(head, body);
      return row;
    });
    this.find("comment-list").replaceChildren(...rows);
    this.find("comment-none").textContent = rows.length ? "" : empty;
    this.find("comment-none").hidden = rows.length > 0;
  }

  async send() {
    const { crop } = this;
    const text = this.text.value.trim();
    if (!text || this.isSending) return;
    this.isSending = true;
    this.note.textContent = "";
    try {
      await this.post(this.address(crop), { text });
      await this.kept(crop, text);
    } catch (error) {
      if (this.crop === crop) this.note.textContent = `Not kept: ${error.message}. The text stays here; try again.`;
    } finally {
      this.isSending = false;
    }
  }

  /** What was written on while it was sent stays. */
  async kept(crop, text) {
    if (this.crop === crop && this.text.value.trim() === text) this.text.value = "";
    if (this.isOn(crop)) await this.fetch(crop);
  }
}
