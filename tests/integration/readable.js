// What keeps a page from being read: a list of complaints, empty if there are none.
(() => {
  const SMALLEST = 11, CONTRAST = 4.5, SLACK = 1;
  const found = new Set();
  const width = window.innerWidth;

  const told = (element) => {
    const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") || ""}"> ${text}`;
  };
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const colour = (value) => {
    const [r, g, b, a = 1] = value.match(/[\d.]+/g).map(Number);
    return value.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = (top, bottom) => [0, 1, 2].map((i) => top[i] * top[3] + bottom[i] * (1 - top[3])).concat(1);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  const scrolls = (element) => {
    for (let each = element.parentElement; each; each = each.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(each).overflowX)) return true;
    }
    return false;
  };
  // The colour that one element paints, with its own transparency.
  const paint = (element) => {
    const style = getComputedStyle(element);
    const isShape = element instanceof SVGElement && !(element instanceof SVGSVGElement);
    if (!isShape) return colour(style.backgroundColor);
    const isFilled = element instanceof SVGGeometryElement && !(element instanceof SVGLineElement);
    if (style.fill === "none" || !isFilled) return [0, 0, 0, 0];
    const painted = colour(style.fill);
    painted[3] *= Number(style.fillOpacity) * Number(style.opacity);
    return painted;
  };
  // Everything below a text, from the uppermost down.
  const below = (element, box) => {
    const layers = [];
    if (element.ownerSVGElement) {
      const x = box.left + box.width / 2, y = box.top + box.height / 2;
      layers.push(...document.elementsFromPoint(x, y).filter((each) => each.ownerSVGElement));
      element = element.ownerSVGElement;
    }
    for (let each = element; each; each = each.parentElement) layers.push(each);
    return layers;
  };
  const background = (element, box) => {
    let result = [255, 255, 255, 1];
    if (getComputedStyle(document.documentElement).colorScheme.includes("dark")
        && matchMedia("(prefers-color-scheme: dark)").matches) result = [0, 0, 0, 1];
    for (const each of below(element, box).reverse()) {
      if (each !== element || !element.ownerSVGElement) result = over(paint(each), result);
    }
    return result;
  };

  const page = document.scrollingElement.scrollWidth;
  if (page > width) found.add(`the page is ${page} px wide in a window of ${width} px`);
  for (const element of document.body.querySelectorAll("*")) {
    if (!shown(element) || element.ownerSVGElement) continue;
    const box = element.getBoundingClientRect();
    const isOut = box.right > width + SLACK || box.left < -SLACK;
    if (isOut && box.width && !scrolls(element)) found.add(`beyond the window: ${told(element)}`);
    const style = getComputedStyle(element);
    if (/hidden|clip/.test(style.overflowX) && element.scrollWidth > element.clientWidth + SLACK) {
      found.add(`cut off: ${told(element)}`);
    }
  }

  const labels = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.closest("style, script, title, desc, defs") || !shown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    const style = getComputedStyle(element), svg = element.ownerSVGElement;
    const size = parseFloat(style.fontSize) * (svg ? element.getScreenCTM().a : 1);
    if (size < SMALLEST) found.add(`text of ${size.toFixed(1)} px: ${told(element)}`);
    const behind = background(element, box);
    const ratio = contrast(over(colour(svg ? style.fill : style.color), behind), behind);
    if (ratio < CONTRAST) found.add(`a contrast of ${ratio.toFixed(2)}: ${told(element)}`);
    if (!svg) continue;
    const frame = svg.getBoundingClientRect();
    if (box.left < frame.left - SLACK || box.right > frame.right + SLACK
        || box.top < frame.top - SLACK || box.bottom > frame.bottom + SLACK) {
      found.add(`beyond its picture: ${told(element)}`);
    }
    const others = labels.get(svg) || [];
    for (const [other, text] of others) {
      const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
      // The boxes of letters are higher than letters.
      const down = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
      if (across > SLACK && down > 5) found.add(`over another text: ${told(element)} and ${text}`);
    }
    labels.set(svg, [...others, [box, told(element)]]);
  }
  return [...found];
})()
