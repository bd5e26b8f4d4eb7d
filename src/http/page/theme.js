"use strict";(()=>{try{let t=localStorage.getItem("highwater.theme");(t==="light"||t==="dark")&&(document.documentElement.dataset.theme=t)}catch{}})();
