(() => {
  const box = document.getElementById("crowd-knobs");
  const texts = JSON.parse(document.getElementById("knob-texts").textContent);
  const sliders = [...box.querySelectorAll("input[type=range]")];
  const scene = document.getElementById("knob-scene");
  const keypoints = document.getElementById("knob-keypoints");
  const image = box.querySelector("img");
  const caption = box.querySelector("figcaption");
  const show = () => {
    for (const slider of sliders) {
      const value = JSON.parse(slider.dataset.values)[slider.value];
      document.getElementById(slider.id + "-is").textContent = value;
      slider.setAttribute("aria-valuetext", value);
    }
    const name = sliders.map((slider) => slider.value).join("");
    const marked = keypoints.checked ? "-keypoints" : "";
    image.src = `_static/knobs/${name}-${scene.value}${marked}.jpg`;
    const text = texts[name][scene.value];
    image.alt = "A rendered crowd. " + text;
    caption.textContent = text;
  };
  box.addEventListener("input", show);
  show();
})();
