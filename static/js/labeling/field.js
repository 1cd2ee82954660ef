/* The page of a field: the viewer of the reading room, in the windows that this person has set there. */
import { Keeping } from "./keeping.js";
import { Viewer } from "./viewer.js";
import { Windows } from "./windows.js";

const root = document.getElementById("field");
const windows = new Windows({ kept: new Keeping({ user: root.dataset.user }).local() });
const viewer = new Viewer(root);
viewer.show(root.dataset.field, ({ channels }) => ({ channels: windows.shown(channels), invert: windows.invert }));
