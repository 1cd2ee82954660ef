/* Comments on a crop: read, and written, in a sheet of their own. */
import { age } from "../shared/text.js";

export class Comments {
  constructor({ find, url, get, post }) {
    Object.assign(this, { find, url, get, post, crop: null });
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

  address() {
    return this.url.replace("/0/", `/${this.crop.id}/`);
  }

  async open(crop) {
    if (this.crop?.id !== crop.id) this.text.value = "";
    this.crop = crop;
    this.note.textContent = "";
    this.list([], "Fetching the comments …");
    this.dialog.showModal();
    this.text.focus();
    try {
      this.list(await this.get(this.address()), "No comments to show. Those of others come once you have answered.");
    } catch (error) {
      this.list([], `The comments cannot be shown: ${error.message}.`);
    }
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
    const text = this.text.value.trim();
    if (!text) return;
    try {
      await this.post(this.address(), { text });
    } catch (error) {
      this.note.textContent = `Not kept: ${error.message}. The text stays here; try again.`;
      return;
    }
    this.text.value = "";
    this.open(this.crop);
  }
}
