/* The page of a class: draws its example crops. */
import { drawInView, readPictures } from "../shared/pictures.js";

drawInView(readPictures());
